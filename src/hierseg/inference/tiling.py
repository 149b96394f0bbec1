"""Windows over an image, and the blending of what they give. Geometry; it knows no model."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from hierseg.errors import UsageError
from hierseg.layers import RowMap, TensorMap
from hierseg.size import Size

SMALLEST_WINDOW = 128
"""Side of windows that are halved, at least."""
Key = TypeVar("Key", bound=Hashable)


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

    def halve(self) -> Windows | None:
        """Of half the sides; None where they would be of no use, or have no size of their own."""
        if self.size is None or min(self.size) // 2 < SMALLEST_WINDOW:
            return None
        return Windows(Size(self.size.height // 2, self.size.width // 2), self.overlap)

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

    def find_step(self, window: int) -> int:
        """Pixels from a window's start to the next one's, at most, for a window so long."""
        return max(1, math.floor(window * (1 - self.overlap)))

    def _starts(self, length: int, window: int) -> list[int]:
        if window >= length:
            return [0]
        last = math.ceil((length - window) / self.find_step(window))
        return [round(position * (length - window) / last) for position in range(last + 1)]


class Mosaic(Generic[Key]):
    """Maps that are blended of what tiles give: where tiles overlap, a mean whose weights fall
    evenly from a tile's middle to its edges, so that no seam is left.

    A tile is asked for when rows of it are, and let go of when they are passed: rows are to be
    asked for from the top downwards, the same of every map before the next.

    Args:
        size: Of the whole.
        tiles: That cover it.
        give: Maps of a tile, by name; each of the tile's size.
    """

    def __init__(
        self, size: Size, tiles: Sequence[Tile], give: Callable[[Tile], Mapping[Key, RowMap]]
    ) -> None:
        self.size, self.tiles, self._give = size, tiles, give
        self._there: dict[Tile, Mapping[Key, RowMap]] = {}

    def list_keys(self) -> list[Key]:
        """The names of the maps."""
        return list(self._get(self.tiles[0]))

    def rows(self, key: Key, top: int, bottom: int) -> Tensor:
        """(..., bottom - top, W) rows of a map."""
        for tile in [tile for tile in self._there if tile.top + tile.height <= top]:
            del self._there[tile]
        total = weights = None
        for tile in self.tiles:
            first, last = max(top, tile.top), min(bottom, tile.top + tile.height)
            if first >= last:
                continue
            values = self._get(tile)[key].rows(first - tile.top, last - tile.top)
            if len(self.tiles) == 1:
                return values
            if total is None or weights is None:
                total = values.new_zeros(*values.shape[:-2], bottom - top, self.size.width)
                weights = values.new_zeros(bottom - top, self.size.width)
            within = Tile(first - top, tile.left, last - first, tile.width)
            ramp = _ramp(tile.height, values)[first - tile.top : last - tile.top]
            weight = torch.outer(ramp, _ramp(tile.width, values))
            within.cut(total).add_(values * weight)
            within.cut(weights).add_(weight)
        assert total is not None
        assert weights is not None
        return total.div_(weights)

    def _get(self, tile: Tile) -> Mapping[Key, RowMap]:
        if tile not in self._there:
            self._there[tile] = self._give(tile)
        return self._there[tile]


def blend(size: Size, tiles: Sequence[Tile], give: Callable[[Tile], Tensor]) -> Tensor:
    """Join what a callback gives for each tile, as ``Mosaic`` does.

    Args:
        size: Of the whole.
        tiles: That cover it.
        give: (..., height, width) float values of a tile.

    Returns:
        (..., H, W) values.
    """
    mosaic = Mosaic(size, tiles, lambda tile: {"": TensorMap(give(tile))})
    return mosaic.rows("", 0, size.height)


def _ramp(length: int, like: Tensor) -> Tensor:
    """(length,) weights from near 0 at the ends to 1 in the middle, symmetric, none of them 0."""
    rising = torch.arange(1, length + 1, dtype=like.dtype, device=like.device)
    return torch.minimum(rising, rising.flip(0)) / math.ceil(length / 2)
