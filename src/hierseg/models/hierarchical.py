"""Hierarchical fusion: each scale's attention decides against the larger ones (METHOD section 2),
and how far a scale decides, pixel by pixel (METHOD section 1; HMSA section 3.2).

Shape letters: B batch, K classes, H and W the image's size at scale 1.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from hierseg.errors import UsageError
from hierseg.layers import ConvNormAct, scaled_size
from hierseg.models.fusion import Fusion, FusionRun
from hierseg.size import Size


def check_includes_one(scales: Sequence[float]) -> None:
    """UsageError unless 1.0 is among the scales."""
    if 1.0 not in scales:
        shown = " ".join(f"{scale:g}" for scale in scales)
        raise UsageError(f"scales {shown} must include 1 for a hierarchical network; add it.")


class ScaleAttention(nn.Module):
    """3x3 conv-BN-ReLU, 3x3 conv-BN-ReLU, 1x1 conv, sigmoid; without biases.

    Args:
        channels: Channels of the head's features.
        mid_channels: Channels of the two 3x3 convolutions.
        second: Whether there is the second 3x3 convolution.
        dropout: Probability of dropping a value before the last convolution, in training.
        even: Start from 0.5 everywhere: the last convolution's weights are 0 at first.
        outputs: Channels of the result.
    """

    def __init__(
        self,
        channels: int,
        mid_channels: int = 256,
        *,
        second: bool = True,
        dropout: float = 0.0,
        even: bool = False,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(channels, mid_channels, 3)
        self.conv2 = ConvNormAct(mid_channels, mid_channels, 3) if second else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.weigh = nn.Conv2d(mid_channels, outputs, 1, bias=False)
        if even:
            nn.init.zeros_(self.weigh.weight)

    def forward(self, features: Tensor) -> Tensor:
        """(B, channels, h, w) to (B, outputs, h, w) in (0, 1)."""
        hidden = self.dropout(self.conv2(self.conv1(features)))
        return torch.sigmoid(self.weigh(hidden))


class HierarchicalFusion(Fusion):
    """Each scale's attention decides between its logits and the fused logits of larger scales.

    Args:
        direction: ``"down"`` runs the largest scale first and keeps one fused map; ``"up"`` runs
            the smallest first and also keeps the weight that is left for larger scales, so that
            it is known before they are run. The result is the same.
    """

    def __init__(self, direction: Literal["down", "up"] = "down") -> None:
        super().__init__()
        self.direction = direction

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
        run = DownwardRun if self.direction == "down" else UpwardRun
        order = sorted(scales, reverse=self.direction == "down")
        return run(size, order, align_corners=align_corners, keep=keep)


class AttentiveRun(FusionRun):
    """What both directions share: the largest scale's attention decides nothing."""

    def needs_attention(self, scale: float) -> bool:
        """See ``FusionRun.needs_attention``."""
        return scale != max(self.scales)


class DownwardRun(AttentiveRun):
    """From the largest scale to the smallest, METHOD section 2 as it stands there."""

    _fused: list[Tensor] | None = None

    def _fuse(self, scale: float, maps: list[Tensor], attention: Tensor | None) -> None:
        if self._fused is None:
            self._fused = maps
        else:
            assert attention is not None
            self._fused = [
                self._decide(scale, tensor, attention, larger)
                for tensor, larger in zip(maps, self._fused, strict=True)
            ]
        following = self.scales[self.scales.index(scale) + 1 :]
        if following and following[0] >= 1:
            # Now rather than when it is needed: the smaller map is what waits for the next scale.
            size = scaled_size(self.size, following[0])
            self._fused = [self._resize(tensor, size) for tensor in self._fused]

    def _decide(self, scale: float, logits: Tensor, attention: Tensor, larger: Tensor) -> Tensor:
        if scale >= 1:
            return torch.lerp(larger, logits, attention)
        size = (larger.shape[-2], larger.shape[-1])
        own = self._resize(attention * logits, size)
        return torch.addcmul(own, 1 - self._resize(attention, size), larger)

    def _maps(self) -> list[Tensor]:
        assert self._fused is not None
        return self._fused


class UpwardRun(AttentiveRun):
    """From the smallest scale to the largest.

    The recurrence of the downward run, written out, is a sum over scales. Below 1.0 a term is
    multiplied by (1 - a) of all smaller scales, at the size of scale 1.0; from 1.0 on it is taken
    down step by step, multiplied at each smaller scale from 1.0 by that scale's 1 - a.
    """

    def __init__(
        self, size: Size, scales: Sequence[float], *, align_corners: bool, keep: bool
    ) -> None:
        super().__init__(size, scales, align_corners=align_corners, keep=keep)
        self._sums: list[Tensor] | None = None
        self._below: Tensor | None = None  # (B, 1, H, W): product of 1 - a over scales under 1.0
        self._gates: list[Tensor] = []  # 1 - a of the scales from 1.0 on, each at its own size

    def _fuse(self, scale: float, maps: list[Tensor], attention: Tensor | None) -> None:
        if scale == max(self.scales):
            attention = None
        own = maps if attention is None else [attention * tensor for tensor in maps]
        terms = [self._lower(tensor) for tensor in own]
        self._sums = (
            terms
            if self._sums is None
            else [total + term for total, term in zip(self._sums, terms, strict=True)]
        )
        if attention is None:
            return
        if scale >= 1:
            self._gates.append(1 - attention)
        else:
            rest = 1 - self._resize(attention, self.size)
            self._below = rest if self._below is None else self._below * rest

    def _lower(self, tensor: Tensor) -> Tensor:
        """What a map of the next scale contributes at scale 1.0."""
        for gate in reversed(self._gates):
            tensor = gate * self._resize(tensor, (gate.shape[-2], gate.shape[-1]))
        tensor = self._resize(tensor, self.size)
        return tensor if self._below is None else self._below * tensor

    def remaining_weight(self) -> Tensor | None:
        """(B, 1, H, W) in (0, 1): the weight of all scales that are still to come; None for 1."""
        if not self._gates:
            return self._below
        return self._lower(torch.ones_like(self._gates[-1]))

    def _maps(self) -> list[Tensor]:
        assert self._sums is not None
        return self._sums
