"""How the outputs of several scales become one (HMSA section 3, METHOD section 2).

A fusion starts a *run* for one batch of images; the run says which scale it wants next, takes one
scale's output after the other, and keeps no more of them than the rest needs.

Shape letters: B batch, K classes, H and W the image's size at scale 1.0, H_s and W_s at scale s.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hierseg.layers import resize_to, scaled_size
from hierseg.models.outputs import Passed, ScaleOutput, SegmentationOutput
from hierseg.size import Size


class FusionRun(ABC):
    """The fusing of one batch, scale by scale: ``next`` says which one it wants, ``add`` takes it,
    until there is none, and ``finish`` gives what is fused.

    Args:
        size: Size of the image at scale 1.0.
        scales: The scales, in the order in which they will be added.
        align_corners: How maps are resized.
        keep: Whether each scale's logits and attention are kept for the output.

    Attributes:
        passed: What the scale that is wanted now takes over from the last one; None for nothing.
    """

    passed: Passed | None = None

    def __init__(
        self, size: Size, scales: Sequence[float], *, align_corners: bool, keep: bool
    ) -> None:
        self.size = size
        self.scales = tuple(scales)
        self.align_corners = align_corners
        self._left = deque(self.scales)
        self.per_scale: dict[float, Tensor] | None = {} if keep else None
        self.attention: dict[float, Tensor] | None = {} if keep else None

    def next(self) -> float | None:
        """The scale that is wanted now; None once there are enough."""
        return self._left[0] if self._left else None

    def needs_attention(self, scale: float) -> bool:
        """Whether the fused result depends on the attention of ``scale``."""
        return False

    def add(self, scale: float, output: ScaleOutput) -> None:
        """Take the output for the image resized by ``scale``, the one that ``next`` names.

        Maps are brought to that image's size before anything is done with them.
        """
        self._left.remove(scale)
        size = scaled_size(self.size, scale)

        def enlarge(tensor: Tensor) -> Tensor:
            # Fused in float32 at least, whatever the network's arithmetic is.
            exact = tensor.to(torch.promote_types(tensor.dtype, torch.float32))
            return resize_to(exact, size, self.align_corners)

        logits = enlarge(output.logits)
        attention = None if output.attention is None else enlarge(output.attention)
        if self.per_scale is not None:
            self.per_scale[scale] = logits
        if self.attention is not None and attention is not None:
            self.attention[scale] = attention
        maps = [logits] if output.auxiliary is None else [logits, enlarge(output.auxiliary)]
        self._fuse(scale, maps, attention)

    @abstractmethod
    def _fuse(self, scale: float, maps: list[Tensor], attention: Tensor | None) -> None:
        """Take logits, and auxiliary logits if there are any, (B, K, H_s, W_s) each."""

    @abstractmethod
    def _maps(self) -> list[Tensor]:
        """The fused maps, (B, K, H, W) each."""

    def finish(self) -> SegmentationOutput:
        """The fused output, once every scale is added."""
        maps = self._maps()
        return SegmentationOutput(
            logits=maps[0],
            auxiliary=maps[1] if len(maps) > 1 else None,
            per_scale=self.per_scale,
            attention=self.attention or None,
        )

    def _resize(self, tensor: Tensor, size: tuple[int, int]) -> Tensor:
        return resize_to(tensor, size, self.align_corners)


class Fusion(nn.Module, ABC):
    """A way to combine scales. It is a module, as some ways have weights of their own.

    Attributes:
        attends: Whether attention decides between scales.
        weighs_largest: Whether the largest scale's attention decides too.
        passes: Whether scales take over from smaller ones, so that none can be run by itself.
    """

    attends = True
    weighs_largest = False
    passes = False

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
            align_corners: How maps are resized.
            keep: Whether each scale's logits and attention are kept for the output.

        Raises:
            UsageError: These scales cannot be combined in this way.
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
        """See ``Fusion.begin``; any scales will do."""
        return _AverageRun(size, sorted(scales), align_corners=align_corners, keep=keep)


class _AverageRun(FusionRun):
    """Keeps one sum."""

    _sums: list[Tensor] | None = None

    def _fuse(self, scale: float, maps: list[Tensor], attention: Tensor | None) -> None:
        resized = [self._resize(tensor, self.size) for tensor in maps]
        self._sums = (
            resized
            if self._sums is None
            else [total + tensor for total, tensor in zip(self._sums, resized, strict=True)]
        )

    def _maps(self) -> list[Tensor]:
        assert self._sums is not None
        return [total / len(self.scales) for total in self._sums]
