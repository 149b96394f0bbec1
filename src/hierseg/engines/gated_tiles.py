"""The tiles of a scale that is run only in part: their layout, and how they are joined.

A tile has a *core*, for which it gives the logits, and around it a *halo*, on which those logits
depend. Cores fill the image without overlap. A core with its halo is a window; all windows have one
size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from hierseg.size import Size

SMALLEST, LARGEST = 288, 512
"""Pixels of a window's side, about, at the scale that is run by tiles, and"""
SHARE = 2 / 7
"""of the image's shorter side there, between the two: fewer tiles have less halo, and choose less
finely."""
HALO = 32
"""Smallest width of the halo in pixels at the scale that is run by tiles."""
RAMP = 16
"""Pixels of the halo over which a tile's share falls to 0. The rest of the halo is wrong because of
the padding at the window's border."""

LEAST = 1e-4
"""Weight of a tile's values in its outer halo if another tile has values there too."""


class Span(NamedTuple):
    """A tile along one axis: its window from ``start``, its core from ``low`` to ``high``."""

    start: int
    low: int
    high: int


@dataclass(frozen=True)
class Axis:
    """The tiles along one axis.

    Attributes:
        length: Total length in pixels.
        window: Length of a window in pixels.
        spans: The tiles in order.
    """

    length: int
    window: int
    spans: tuple[Span, ...]


def lay_axis(length: int, unit: int, coarsest: int, side: int, halo: int = HALO) -> Axis:
    """Windows of one length along an axis, spread evenly.

    Args:
        length: Total length in pixels, a multiple of ``unit``.
        unit: Windows and cores begin at multiples of this, so that their outputs align with the
            whole image's.
        coarsest: A window's length is a multiple of this, as is its start, but for the last one.
        side: Approximate length of a window in pixels.
        halo: Smallest width of a halo in pixels, except at the image's edge.
    """
    number = max(1, round((length - 2 * halo) / (side - 2 * halo)))
    window = math.ceil((length + (number - 1) * 2 * halo) / number / coarsest) * coarsest
    if number == 1 or window >= length:
        return Axis(length, length, (Span(0, 0, length),))
    last = length - window
    starts = [round(place * last / (number - 1) / coarsest) * coarsest for place in range(number)]
    starts = [*(min(start, last) for start in starts[:-1]), last]
    middles = [(start + window + following) // 2 for start, following in pairwise(starts)]
    cuts = [0, *(middle // unit * unit for middle in middles), length]
    spans = (Span(start, *cut) for start, cut in zip(starts, pairwise(cuts), strict=True))
    return Axis(length, window, tuple(spans))


@dataclass(frozen=True)
class Layout:
    """The tiles of an image at one scale, row by row.

    Attributes:
        size: Size of the image at that scale.
        rows: Tiles from top to bottom, for the image padded to a multiple of the unit.
        columns: Tiles from left to right, likewise.
    """

    size: Size
    rows: Axis
    columns: Axis

    @property
    def count(self) -> int:
        """Number of tiles."""
        return len(self.rows.spans) * len(self.columns.spans)

    @property
    def cost(self) -> float:
        """Pixels of a window, over the pixels of the image."""
        return self.rows.window * self.columns.window / (self.size.height * self.size.width)

    def spans(self, tile: int) -> tuple[Span, Span]:
        """A tile's span from top to bottom, and from left to right."""
        row, column = divmod(tile, len(self.columns.spans))
        return self.rows.spans[row], self.columns.spans[column]

    def average(self, values: Tensor) -> Tensor:
        """(B, 1, h, w) values of the whole image, at any stride, to (B, N) means over the cores."""
        height, width = values.shape[-2:]
        rows = [_scale(span, height, self.rows.length) for span in self.rows.spans]
        columns = [_scale(span, width, self.columns.length) for span in self.columns.spans]
        means = [
            values[:, 0, top:bottom, left:right].mean(dim=(1, 2))
            for top, bottom in rows
            for left, right in columns
        ]
        return torch.stack(means, dim=1)

    def pad(self, image: Tensor) -> Tensor:
        """(B, 3, *size) with its last rows and columns repeated to a multiple of the unit."""
        below = self.rows.length - image.shape[-2]
        beside = self.columns.length - image.shape[-1]
        if not below and not beside:
            return image
        return torch.nn.functional.pad(image, (0, beside, 0, below), mode="replicate")

    def cut(self, image: Tensor, tile: int) -> Tensor:
        """A tile's window out of a (..., H, W) image that is padded."""
        row, column = self.spans(tile)
        bottom, right = row.start + self.rows.window, column.start + self.columns.window
        return image[..., row.start : bottom, column.start : right]


def _scale(span: Span, there: int, here: int) -> tuple[int, int]:
    low, high = round(span.low * there / here), round(span.high * there / here)
    low = min(low, there - 1)
    return low, max(high, low + 1)


def lay_tiles(size: Size, strides: tuple[int, ...], halo: int = HALO) -> Layout:
    """The tiles of an image at a scale.

    Args:
        size: Size of the image at that scale.
        strides: Strides of the network's features, fine to coarse.
        halo: Smallest width of a halo in pixels.
    """
    side = min(max(SMALLEST, round(min(size) * SHARE)), LARGEST)
    coarsest = math.lcm(*strides)
    unit = math.lcm(strides[0], math.gcd(coarsest, 8))
    axes = [
        lay_axis(math.ceil(length / unit) * unit, unit, coarsest, side, halo) for length in size
    ]
    return Layout(size, *axes)


class Joined:
    """Joins the logits of some tiles into maps of the whole image.

    Args:
        layout: The layout of the tiles.
        batch: Number of images.
        ramp: Pixels over which a tile's share falls to 0 outside its core.
    """

    def __init__(self, layout: Layout, batch: int, ramp: int = RAMP) -> None:
        self.layout, self.batch, self.ramp = layout, batch, ramp
        self.stride = 0
        self._sums = self._reach = self._shares = torch.zeros(0)

    def add(self, image: int, tile: int, logits: Tensor) -> None:
        """Add the logits of one tile.

        Args:
            image: Index of the image in the batch.
            tile: Index of the tile.
            logits: (K, h, w) float logits of its window, at the network's stride.
        """
        if not self.stride:
            self._begin(logits)
        height, width = logits.shape[-2:]
        row, column = self.layout.spans(tile)
        share = torch.outer(self._fall(row, height, logits), self._fall(column, width, logits))
        top, left = row.start // self.stride, column.start // self.stride
        place = (image, slice(None), slice(top, top + height), slice(left, left + width))
        # Also where the share is 0 a value is kept, since resizing mixes neighbours.
        reach = share.clamp(min=LEAST)
        self._sums[place] += reach * logits
        self._reach[place] += reach
        self._shares[place] += share

    def _begin(self, logits: Tensor) -> None:
        rows, columns = self.layout.rows, self.layout.columns
        self.stride = rows.window // logits.shape[-2]
        grid = (rows.length // self.stride, columns.length // self.stride)
        self._sums = logits.new_zeros(self.batch, logits.shape[0], *grid)
        self._reach = logits.new_zeros(self.batch, 1, *grid)
        self._shares = logits.new_zeros(self.batch, 1, *grid)

    def _fall(self, span: Span, cells: int, like: Tensor) -> Tensor:
        """(cells,) shares along an axis: 1 over the core, falling to 0 outside it."""
        places = (torch.arange(cells, device=like.device, dtype=like.dtype) + 0.5) * self.stride
        places += span.start
        outside = torch.maximum(span.low - places, places - span.high).clamp(min=0)
        return (1 - outside / self.ramp).clamp(min=0)

    def grid(self) -> tuple[int, int]:
        """Height and width of the whole image's maps; known after the first ``add``."""
        height, width = self.layout.size
        return math.ceil(height / self.stride), math.ceil(width / self.stride)

    def finish(self, instead: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the whole image, and the tiles' share in them.

        Args:
            instead: (B, K, *grid) logits where there is no tile.

        Returns:
            (B, K, *grid) logits and (B, 1, *grid) shares in [0, 1].
        """
        height, width = self.grid()
        sums, reach, shares = (
            values[..., :height, :width] for values in (self._sums, self._reach, self._shares)
        )
        found = torch.where(reach > 0, sums / reach.clamp(min=LEAST), instead)
        return found, shares.clamp(max=1)
