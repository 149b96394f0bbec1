"""Windows over an image, and the blending of what they give. Geometry; it knows no model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from hierseg.errors import UsageError
from hierseg.size import Size


class Tile(NamedTuple):
    """A window: rows ``top`` to ``top + height``, columns ``left`` to ``left + width``."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, values: Tensor) -> Tensor:
        """The tile's part of (..., H, W) values, as a view."""
        bottom, right = self.top + self.height, self.left + self.width
        return values[..., self.top : bottom, self.left : right]


@dataclass(frozen=True)
class Windows:
    """How windows slide.

    Attributes:
        size: Height and width of a window, cut to the image where that is smaller; None for a
            square of the image's shorter side.
        overlap: Share of a window, in each direction, that its neighbour sees too, at least; in
            [0, 1).

    Raises:
        UsageError: They could not cover an image.
    """

    size: Size | None = None
    overlap: float = 0.25

    def __post_init__(self) -> None:
        if self.size is not None and min(self.size) < 1:
            raise UsageError(f"--window {self.size} holds no pixel; give 32x32 or more.")
        if not 0 <= self.overlap < 1:
            raise UsageError(
                f"--overlap {self.overlap:g} is no share of a window; give 0 or more, under 1."
            )

    def describe(self) -> str:
        """How they slide, in words."""
        window = "of the shorter side" if self.size is None else str(self.size)
        return f"windows {window} overlapping by {self.overlap:g}"

    def tiles(self, size: Size) -> list[Tile]:
        """Windows of one size that cover an image, as evenly as can be, row by row."""
        shorter = min(size)
        window = Size(shorter, shorter) if self.size is None else self.size
        height, width = min(window.height, size.height), min(window.width, size.width)
        return [
            Tile(top, left, height, width)
            for top in self._starts(size.height, height)
            for left in self._starts(size.width, width)
        ]

    def _starts(self, length: int, window: int) -> list[int]:
        if window >= length:
            return [0]
        step = max(1, math.floor(window * (1 - self.overlap)))
        last = math.ceil((length - window) / step)
        return [round(position * (length - window) / last) for position in range(last + 1)]


def blend(size: Size, tiles: Sequence[Tile], give: Callable[[Tile], Tensor]) -> Tensor:
    """Join what a callback gives for each tile: where tiles overlap, a mean whose weights fall
    evenly from a tile's middle to its edges, so that no seam is left.

    Args:
        size: Of the whole.
        tiles: That cover it.
        give: (..., height, width) float values of a tile.

    Returns:
        (..., H, W) values.
    """
    if len(tiles) == 1:
        return give(tiles[0])
    total = weights = None
    for tile in tiles:
        values = give(tile)
        if total is None or weights is None:
            total = values.new_zeros(*values.shape[:-2], *size)
            weights = values.new_zeros(*size)
        weight = torch.outer(_ramp(tile.height, values), _ramp(tile.width, values))
        tile.cut(total).add_(values * weight)
        tile.cut(weights).add_(weight)
    assert total is not None
    assert weights is not None
    return total.div_(weights)


def _ramp(length: int, like: Tensor) -> Tensor:
    """(length,) weights from near 0 at the ends to 1 in the middle, symmetric, none of them 0."""
    rising = torch.arange(1, length + 1, dtype=like.dtype, device=like.device)
    return torch.minimum(rising, rising.flip(0)) / math.ceil(length / 2)
