"""Sliding windows over an image, and the blending of their maps. Pure geometry, without a model."""

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
"""Smallest side in pixels to which windows are halved."""
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
    """Size and overlap of sliding windows.

    Attributes:
        size: Height and width of a window in pixels, reduced to the image's if that is smaller;
            None for a square of the image's shorter side.
        overlap: Smallest share of a window, in each direction, that its neighbour covers too, in
            [0, 1).

    Raises:
        UsageError: The size or the overlap is out of range.
    """

    size: Size | None = None
    overlap: float = 0.25

    def __post_init__(self) -> None:
        if self.size is not None and min(self.size) < 1:
            raise UsageError(f"--window {self.size} is too small; give 32x32 or more.")
        if not 0 <= self.overlap < 1:
            raise UsageError(
                f"--overlap {self.overlap:g} is not a share of a window; give 0 or more, under 1."
            )

    def describe(self) -> str:
        """Size and overlap, in words."""
        window = "of the shorter side" if self.size is None else str(self.size)
        return f"windows {window} overlapping by {self.overlap:g}"

    def halve(self) -> Windows | None:
        """Windows with half the sides; None if they would be too small, or if ``size`` is None."""
        if self.size is None or min(self.size) // 2 < SMALLEST_WINDOW:
            return None
        return Windows(Size(self.size.height // 2, self.size.width // 2), self.overlap)

    def tiles(self, size: Size) -> list[Tile]:
        """Tiles of one size that cover an image as evenly as possible, row by row."""
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
    """Blends the maps of tiles into whole maps. Overlapping tiles are averaged with weights that
    fall linearly from a tile's middle to its edges, so that no seam shows.

    A tile is computed when its first rows are asked for, and dropped when its last rows have been.
    So rows must be asked for from the top down, and the same rows of all maps before the next rows.

    Args:
        size: Height and width of the whole maps.
        tiles: Tiles that cover them.
        give: Computes the maps of a tile, by name, each of the tile's size.
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
    """Blend the values that a callback computes for each tile, as ``Mosaic`` does.

    Args:
        size: Height and width of the whole, H and W.
        tiles: Tiles that cover it.
        give: Computes the (..., height, width) float values of a tile.

    Returns:
        (..., H, W) float values.
    """
    mosaic = Mosaic(size, tiles, lambda tile: {"": TensorMap(give(tile))})
    return mosaic.rows("", 0, size.height)


def _ramp(length: int, like: Tensor) -> Tensor:
    """(length,) symmetric weights, from just above 0 at the ends to 1 in the middle."""
    rising = torch.arange(1, length + 1, dtype=like.dtype, device=like.device)
    return torch.minimum(rising, rising.flip(0)) / math.ceil(length / 2)
