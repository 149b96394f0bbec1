"""Maps whose rows are computed on demand.

Shape letters: B batch, C channels, H and W the map's size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from hierseg.layers.bands import Band, resize_band
from hierseg.size import Size


class RowMap(Protocol):
    """A (B, C, H, W) map that returns rows on demand."""

    @property
    def size(self) -> Size:
        """H and W."""

    def rows(self, top: int, bottom: int) -> Tensor:
        """(B, C, bottom - top, W), float32 or wider: rows ``top`` to ``bottom``, exclusive."""


class TensorMap:
    """A row map of a whole tensor.

    Args:
        values: (B, C, H, W).
    """

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self.size = Size(values.shape[-2], values.shape[-1])

    def rows(self, top: int, bottom: int) -> Tensor:
        """See ``RowMap``."""
        return self.values[..., top:bottom, :]


class ComputedMap:
    """A row map whose rows a function computes.

    Args:
        size: H and W.
        compute: Returns the rows of a band of that size.
    """

    def __init__(self, size: tuple[int, int], compute: Callable[[Band], Tensor]) -> None:
        self.size = Size(*size)
        self._compute = compute

    def rows(self, top: int, bottom: int) -> Tensor:
        """See ``RowMap``."""
        return self._compute(Band(self.size, top, bottom))


class ResizedMap:
    """A row map resized bilinearly.

    Args:
        values: The map to resize.
        size: H and W.
        align_corners: Whether the centres of the corner pixels stay in place.
    """

    def __init__(self, values: RowMap, size: tuple[int, int], align_corners: bool) -> None:
        self.values, self.size, self.align_corners = values, Size(*size), align_corners

    def rows(self, top: int, bottom: int) -> Tensor:
        """See ``RowMap``."""
        wanted = Band(self.size, top, bottom)
        source = wanted.source(self.values.size, self.align_corners)
        values = self.values.rows(source.top, source.bottom)
        return resize_band(values, source, wanted, self.align_corners)


class MirroredMean:
    """The mean of an image's map and of its mirrored image's map, mirrored back."""

    def __init__(self, values: RowMap, mirrored: RowMap) -> None:
        self.values, self.mirrored, self.size = values, mirrored, values.size

    def rows(self, top: int, bottom: int) -> Tensor:
        """See ``RowMap``."""
        mirrored = self.mirrored.rows(top, bottom).flip(-1)
        return mirrored.add_(self.values.rows(top, bottom)).mul_(0.5)


def resize_map(values: RowMap, size: tuple[int, int], align_corners: bool) -> RowMap:
    """The map resized to ``size``; the map itself if it has that size."""
    if tuple(values.size) == tuple(size):
        return values
    return ResizedMap(values, size, align_corners)
