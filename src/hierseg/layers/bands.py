"""Bilinear resizing of some rows of a map, equal to resizing all of it up to rounding.

A map of all classes at the size of an image need then never exist whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hierseg.layers.convolution import resize_to
from hierseg.size import Size


class Band(NamedTuple):
    """Rows ``top`` to ``bottom`` (exclusive), all columns, of a map of ``size``."""

    size: Size
    top: int
    bottom: int

    @classmethod
    def whole(cls, size: tuple[int, int]) -> Band:
        """All rows."""
        return cls(Size(*size), 0, size[0])

    @property
    def is_whole(self) -> bool:
        """Whether the band has all rows."""
        return self.top == 0 and self.bottom == self.size.height

    def source(self, size: tuple[int, int], align_corners: bool) -> Band:
        """The rows of a map of ``size`` that these rows depend on when it is resized to
        ``self.size``.
        """
        if tuple(size) == tuple(self.size):
            return self
        if self.is_whole:
            return Band.whole(size)
        first, last, _ = _sample(self, size[0], align_corners)
        return Band(Size(*size), int(first[0]), int(last[-1]) + 1)

    def widen(self, rows: int) -> Band:
        """The band with ``rows`` more on either side, up to the map's edges."""
        return Band(self.size, max(0, self.top - rows), min(self.size.height, self.bottom + rows))

    def within(self, other: Band) -> Band:
        """The same rows, numbered within ``other`` as if it were a whole map."""
        size = Size(other.bottom - other.top, self.size.width)
        return Band(size, self.top - other.top, self.bottom - other.top)

    def cut(self, values: Tensor) -> Tensor:
        """A view of these rows of a whole (..., H, W) map."""
        return values[..., self.top : self.bottom, :]


def split_rows(size: tuple[int, int], count: int) -> Iterator[Band]:
    """Bands of ``count`` rows that cover a map, from the top; the last may have fewer."""
    for top in range(0, size[0], max(1, count)):
        yield Band(Size(*size), top, min(size[0], top + max(1, count)))


def resize_band(values: Tensor, source: Band, target: Band, align_corners: bool = False) -> Tensor:
    """Rows of a resized map.

    Args:
        values: (B, C, rows of ``source``, its width) float.
        source: Which rows of the map they are; they must include those of ``target.source``.
        target: Which rows of the resized map are needed.
        align_corners: Whether the centres of the corner pixels stay in place.

    Returns:
        (B, C, rows of ``target``, its width); for whole maps the result of ``resize_to``.
    """
    if tuple(source.size) == tuple(target.size):
        return values[..., target.top - source.top : target.bottom - source.top, :]
    if source.is_whole and target.is_whole:
        return resize_to(values, target.size, align_corners)
    weights = _weigh_rows(source, target, align_corners)
    return _mix_rows(_resize_columns(values, target.size.width, align_corners), weights)


def take_band(
    whole: Tensor, target: Band, *between: tuple[int, int], align_corners: bool = False
) -> Tensor:
    """Rows of a whole map after one or several resizings.

    Args:
        whole: (B, C, h, w); half-precision values are resized in float32.
        target: Which rows of the result are needed.
        between: Sizes that the map is resized to, in order, before that of ``target``.
        align_corners: Whether the centres of the corner pixels stay in place.

    Returns:
        (B, C, rows, W), float32 or wider; all rows equal the result of ``resize_to`` for one size
        after the other.
    """
    exact = torch.promote_types(whole.dtype, torch.float32)
    if target.is_whole:
        values = whole.to(exact)
        for size in (*between, target.size):
            values = resize_to(values, size, align_corners)
        return values
    own = Size(whole.shape[-2], whole.shape[-1])
    weights: npt.NDArray[np.float32] | None = None
    widths: list[int] = []
    for size in (*reversed(between), own):  # from the result back to the map
        source = target.source(size, align_corners)
        if tuple(source.size) != tuple(target.size):
            step = _weigh_rows(source, target, align_corners)
            weights = step if weights is None else weights @ step
            widths.insert(0, target.size.width)
        target = source
    values = target.cut(whole).to(exact)
    for width in widths:
        values = _resize_columns(values, width, align_corners)
    return values if weights is None else _mix_rows(values, weights)


def _resize_columns(values: Tensor, width: int, align_corners: bool) -> Tensor:
    # Only the width changes, so each row depends on itself alone.
    return resize_to(values, (values.shape[-2], width), align_corners)


def _mix_rows(values: Tensor, weights: npt.NDArray[np.float32]) -> Tensor:
    """(B, C, m, W) values and (n, m) weights to (B, C, n, W)."""
    mixing = torch.from_numpy(weights).to(values.device, values.dtype)
    with torch.autocast(values.device.type, enabled=False):
        return torch.matmul(mixing, values)


def _weigh_rows(source: Band, target: Band, align_corners: bool) -> npt.NDArray[np.float32]:
    """(n, m): weight of each row of ``source`` in each row of ``target``."""
    first, last, share = _sample(target, source.size.height, align_corners)
    rows = np.arange(len(first))
    weights = np.zeros((len(first), source.bottom - source.top), np.float32)
    weights[rows, first - source.top] = 1 - share
    weights[rows, last - source.top] += share
    return weights


def _sample(
    band: Band, height: int, align_corners: bool
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """For each row of ``band``, the two rows of a map of ``height`` rows that it lies between, and
    the weight of the second; in single precision, as torch computes them.
    """
    rows, there, wanted = np.arange(band.top, band.bottom), np.float32(height), band.size.height
    if align_corners:
        step = (there - 1) / np.float32(wanted - 1) if wanted > 1 else np.float32(0)
        places = rows.astype(np.float32) * step
    else:
        # Product and difference are rounded once, as by a fused multiply-add.
        ratio = float(there / np.float32(wanted))
        places = np.maximum((rows + 0.5) * ratio - 0.5, 0).astype(np.float32)
    first = np.minimum(places.astype(np.intp), height - 1)
    last = np.minimum(first + 1, height - 1)
    share = np.clip(places - first.astype(np.float32), 0, 1).astype(np.float32)
    return first, last, share
