"""How the outputs of several scales become one (HMSA section 3, METHOD section 2).

A fusion starts a *run* for one batch of images. The run names the scale that it needs next, and
takes the scales' outputs one by one, at the network's own stride. They are fused when the result is
asked for: whole, or some rows of it.

Shape letters: B batch, K classes, H and W the image's size at scale 1.0, H_s and W_s at scale s,
n rows of a band.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from functools import partial, reduce
from typing import Literal

import torch
from torch import Tensor, nn

from hierseg.layers import Band, ComputedMap, scaled_size, take_band
from hierseg.models.outputs import DeferredOutput, Passed, ScaleOutput, SegmentationOutput
from hierseg.size import Size

Part = Literal["logits", "auxiliary"]


class FusionRun(ABC):
    """The fusion of one batch, scale by scale.

    ``next`` names the scale that is needed and ``add`` takes its output, until ``next`` returns
    None. ``finish`` returns the fused output, ``defer`` the same computed row by row.

    Args:
        size: Size of the image at scale 1.0.
        scales: The scales, in the order in which they will be added.
        align_corners: Whether maps are resized with aligned corners.
        keep: Whether each scale's logits and attention are kept for the output.

    Attributes:
        passed: What the next scale takes over from the one before it; None for nothing.
        outputs: Scale -> its output at the network's own stride, without features. The result is
            fused from these when it is asked for, so an attention may be replaced until then.
    """

    passed: Passed | None = None

    def __init__(
        self, size: Size, scales: Sequence[float], *, align_corners: bool, keep: bool
    ) -> None:
        self.size = size
        self.scales = tuple(scales)
        self.align_corners = align_corners
        self.keep = keep
        self.outputs: dict[float, ScaleOutput] = {}
        self._left = deque(self.scales)
        # Kept maps are also fused: both uses share one tensor, so that its gradients add up.
        self._enlarged: dict[tuple[str, float], Tensor] | None = None

    def next(self) -> float | None:
        """The scale that is needed next; None when there are enough."""
        return self._left[0] if self._left else None

    def needs_attention(self, scale: float) -> bool:
        """Whether the fused result depends on the attention of ``scale``."""
        return False

    def add(self, scale: float, output: ScaleOutput) -> None:
        """Take the output for the image resized by ``scale``, the scale that ``next`` returned."""
        self._left.remove(scale)
        self.outputs[scale] = output._replace(features=None)  # they are large

    @abstractmethod
    def fuse(self, part: Part, band: Band) -> Tensor:
        """(B, K, n, W), float32 or wider: rows of the fused logits or auxiliary logits.

        Args:
            part: Which of the two.
            band: Rows of a map of the image's size.
        """

    def finish(self) -> SegmentationOutput:
        """The fused output, once every scale has been added."""
        whole = Band.whole(self.size)
        self._enlarged = {} if self.keep else None
        try:
            logits = self.fuse("logits", whole)
            has_auxiliary = all(one.auxiliary is not None for one in self.outputs.values())
            auxiliary = self.fuse("auxiliary", whole) if has_auxiliary else None
            if not self.keep:
                return SegmentationOutput(logits, auxiliary)
            per_scale = {scale: self._own_whole("logits", scale) for scale in self.scales}
            attention = {
                scale: self._own_whole("attention", scale) for scale in self._list_attending()
            }
        finally:
            self._enlarged = None
        return SegmentationOutput(logits, auxiliary, per_scale, attention or None)

    def defer(self) -> DeferredOutput:
        """The fused output without auxiliary logits; its rows are computed when asked for."""
        logits = ComputedMap(self.size, partial(self.fuse, "logits"))
        if not self.keep:
            return DeferredOutput(logits)

        def own(part: str, scale: float) -> ComputedMap:
            size = scaled_size(self.size, scale)
            return ComputedMap(size, partial(self._own, part, scale))

        per_scale = {scale: own("logits", scale) for scale in self.scales}
        attention = {scale: own("attention", scale) for scale in self._list_attending()}
        return DeferredOutput(logits, dict(per_scale), dict(attention) or None)

    def _list_attending(self) -> list[float]:
        """The scales whose attention belongs to the output."""
        return [scale for scale in self.scales if self.outputs[scale].attention is not None]

    def _own(self, part: str, scale: float, band: Band) -> Tensor:
        """Rows of a scale's own map at its image's size; ``part`` is a field of ScaleOutput.

        In float32 or wider, whatever precision the network runs in.
        """
        if band.is_whole and self._enlarged is not None:
            return self._own_whole(part, scale)
        return self._take(getattr(self.outputs[scale], part), band)

    def _bring(self, part: str, scale: float, band: Band) -> Tensor:
        """The same map resized to the size of ``band``: the rows of ``band``."""
        if band.is_whole and self._enlarged is not None:
            return self._take(self._own_whole(part, scale), band)
        # Nothing happens between the two resizings, so they are done in one step.
        size = scaled_size(self.size, scale)
        return self._take(getattr(self.outputs[scale], part), band, size)

    def _own_whole(self, part: str, scale: float) -> Tensor:
        assert self._enlarged is not None
        if (part, scale) not in self._enlarged:
            band = Band.whole(scaled_size(self.size, scale))
            self._enlarged[part, scale] = self._take(getattr(self.outputs[scale], part), band)
        return self._enlarged[part, scale]

    def _take(self, values: Tensor, band: Band, *between: Size) -> Tensor:
        return take_band(values, band, *between, align_corners=self.align_corners)


class Fusion(nn.Module, ABC):
    """A way to combine scales: a module, because some ways have weights.

    Attributes:
        attends: Whether attention decides between scales.
        weighs_largest: Whether the largest scale's attention counts too.
        passes: Whether a scale takes features over from the next smaller one, so that no scale can
            be run alone.
        needs_features: Whether it takes the head's features of each scale.
    """

    attends = True
    weighs_largest = False
    passes = False
    needs_features = False

    @abstractmethod
    def begin(
        self,
        size: Size,
        scales: Sequence[float],
        *,
        align_corners: bool = False,
        keep: bool = False,
    ) -> FusionRun:
        """Start to fuse one batch.

        Args:
            size: Size of the image at scale 1.0.
            scales: The scales, distinct and positive, in any order.
            align_corners: Whether maps are resized with aligned corners.
            keep: Whether each scale's logits and attention are kept for the output.

        Raises:
            UsageError: This fusion cannot combine these scales.
        """


class AverageFusion(Fusion):
    """The mean over scales of the logits, resized to the image's size."""

    attends = False

    def begin(
        self,
        size: Size,
        scales: Sequence[float],
        *,
        align_corners: bool = False,
        keep: bool = False,
    ) -> FusionRun:
        """See ``Fusion.begin``; any scales work."""
        return _AverageRun(size, sorted(scales), align_corners=align_corners, keep=keep)


class _AverageRun(FusionRun):
    """Averages the scales' resized maps."""

    def fuse(self, part: Part, band: Band) -> Tensor:
        """See ``FusionRun.fuse``."""
        brought = [self._bring(part, scale, band) for scale in self.scales]
        return reduce(torch.add, brought) / len(self.scales)
