"""Paired attention (METHOD section 2): a scale's attention sees the next larger scale as well.

Shape letters: B batch, C channels of the head's features, h_s and v_s height and width of the
features at scale s.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hierseg.layers import resize_to
from hierseg.models.fusion import Fusion, FusionRun
from hierseg.models.hierarchical import HierarchicalRun, ScaleAttention, check_includes_one
from hierseg.models.outputs import ScaleOutput
from hierseg.size import Size


class PairedFusion(Fusion):
    """Hierarchical fusion whose attention sees the features of two adjacent scales.

    Args:
        attention: Takes 2C channels, [features at s, features at the next larger scale resized to
            s], and gives one.
    """

    needs_features = True

    def __init__(self, attention: ScaleAttention) -> None:
        super().__init__()
        self.attention = attention

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
        order = sorted(scales, reverse=True)
        return _PairedRun(self.attention, size, order, align_corners=align_corners, keep=keep)


class _PairedRun(HierarchicalRun):
    """Runs the largest scale first and keeps one scale's features for the next."""

    def __init__(
        self,
        attention: ScaleAttention,
        size: Size,
        scales: Sequence[float],
        *,
        align_corners: bool,
        keep: bool,
    ) -> None:
        super().__init__(size, scales, align_corners=align_corners, keep=keep)
        self._attend = attention
        self._larger: Tensor | None = None  # (B, C, h_s, v_s) of the next larger scale

    def add(self, scale: float, output: ScaleOutput) -> None:
        features = output.features
        assert features is not None
        attention = None
        if self._larger is not None:
            size = (features.shape[-2], features.shape[-1])
            larger = resize_to(self._larger, size, self.align_corners)
            attention = self._attend(torch.cat([features, larger], dim=1))
        self._larger = None if scale == self.scales[-1] else features
        super().add(scale, output._replace(attention=attention))
