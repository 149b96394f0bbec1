"""Context passed on from scale to scale (METHOD section 3, Fuse and Fuse2).

The smallest scale is run first. Each larger one blends its context with that of the next smaller
scale, by that scale's attention, and decodes the blend. Logits are fused as METHOD section 2 says.

Shape letters: B batch, M channels of the reduced context, h_c and w_c its height and width, h and v
height and width of the smaller scale's image.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from hierseg.layers import resize_to, scaled_size
from hierseg.models.deeplab import DeepLabV3PlusHead
from hierseg.models.fusion import Fusion, FusionRun
from hierseg.models.hierarchical import HierarchicalRun, check_includes_one
from hierseg.models.outputs import HeadOutput, Passed, ScaleOutput
from hierseg.size import Size


class PassingHead(DeepLabV3PlusHead):
    """DeepLabV3+'s head, whose context is blended with that of a smaller scale.

    The published form blends ASPP's output. Here the output is reduced to a fifth of its channels
    first. The 1x1 convolution that does it has no bias, so the order does not change the result.
    """

    def forward(
        self, features: list[Tensor], regions: Tensor | None = None, passed: Passed | None = None
    ) -> HeadOutput:
        """Trunk features, fine to coarse, to logits (B, K, h, v) at the finest feature's size.

        Args:
            features: (B, channels[i], h_i, v_i).
            regions: Ignored; only OCR has them.
            passed: What the next smaller scale passes on; None for the smallest.
        """
        context: Tensor = self.reduce_context(self.context(features[-1]))
        if passed is not None:
            context = self._blend(context, passed)
        return self.refine(features[0], context)._replace(context=context)

    def _blend(self, own: Tensor, passed: Passed) -> Tensor:
        """(B, M, h_c, w_c): weight * the smaller scale's context + (1 - weight) * ``own``."""
        size = (own.shape[-2], own.shape[-1])
        lower = resize_to(passed.context, size, self.align_corners)
        weight = resize_to(passed.weight, size, self.align_corners)
        return (own + weight * (lower - own)).to(own.dtype)


class PassingFusion(Fusion):
    """Hierarchical fusion, smallest scale first, in which every scale passes its context to the
    next larger one.

    If the attention has two channels, the first weighs the logits and the second the context. If it
    has one, that weighs both.
    """

    passes = True

    def begin(
        self,
        size: Size,
        scales: Sequence[float],
        *,
        align_corners: bool = False,
        keep: bool = False,
    ) -> FusionRun:
        """See ``Fusion.begin``; the scales must include 1.0."""
        check_includes_one(scales)
        return _PassingRun(size, sorted(scales), align_corners=align_corners, keep=keep)


class _PassingRun(HierarchicalRun):
    """Runs the smallest scale first and hands on what each scale passes."""

    def add(self, scale: float, output: ScaleOutput) -> None:
        attention, context = output.attention, output.context
        if attention is None:
            self.passed = None
        else:
            assert context is not None
            size = scaled_size(self.size, scale)
            self.passed = Passed(context, resize_to(attention[:, -1:], size, self.align_corners))
            attention = attention[:, :1]
        super().add(scale, output._replace(attention=attention, context=None))
