"""A split as validation evaluates it: images resized, or only their central crops."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch

from hierseg.data.base import Record, SegmentationDataset
from hierseg.data.reading import UInt8Array
from hierseg.data.resampling import resize_part
from hierseg.size import Size


def resize_dataset(
    dataset: SegmentationDataset,
    long_edge: int | None = None,
    crop: Size | None = None,
    enlarge: float = 1.0,
    short_edge: int | None = None,
) -> SegmentationDataset:
    """The split as validation evaluates it; the split itself if nothing changes."""
    if long_edge is None and short_edge is None and crop is None and enlarge == 1:
        return dataset
    return ResizedDataset(dataset, long_edge, crop, enlarge, short_edge)


class ResizedDataset(SegmentationDataset):
    """A split whose images are resized, while its labels keep their own size.

    Logits are brought back to the size of the labels, so that a result counts the same pixels at
    whatever size the images are run (METHOD section 9).

    Args:
        dataset: The split.
        long_edge: Length that the longer side of an image is brought to; None leaves it as it is.
        crop: Central part that is kept of the resized image; None keeps it all.
        enlarge: Factor that images are resized by, instead of ``long_edge``.
        short_edge: Length that the shorter side is brought to, instead of either.
    """

    def __init__(
        self,
        dataset: SegmentationDataset,
        long_edge: int | None,
        crop: Size | None,
        enlarge: float = 1.0,
        short_edge: int | None = None,
    ) -> None:
        super().__init__(dataset.name, dataset.split, dataset.label_space, dataset.samples)
        self.dataset = dataset
        self.long_edge = long_edge
        self.crop = crop
        self.enlarge = enlarge
        self.short_edge = short_edge
        self.has_files = dataset.has_files
        self.boosted_classes, self.label_rule = dataset.boosted_classes, dataset.label_rule
        self.palette = dataset.palette
        self.statistics = dataset.statistics
        parts = [dataset.note] if dataset.note else []
        parts += [f"long edge {long_edge}"] if long_edge is not None else []
        parts += [f"short edge {short_edge}"] if short_edge is not None else []
        parts += [f"images resized by {enlarge:g}"] if enlarge != 1 else []
        parts += [f"central crop {crop}"] if crop is not None else []
        self.note = ", ".join(parts)

    def list_files(self, index: int) -> list[Path]:
        """The files of the split itself."""
        return self.dataset.list_files(index)

    def run_size(self, size: Size) -> Size:
        """The size that an image of this size is run at."""
        factor = self._factor(size)
        sides: tuple[int, ...] = size
        if self.crop is not None:
            kept = zip(size, self.crop, strict=True)
            sides = tuple(_count_central(side, wanted / factor) for side, wanted in kept)
        if self.short_edge is not None:
            return bring_to(self.short_edge, min(size), sides)
        if self.long_edge is not None:
            return bring_to(self.long_edge, max(size), sides)
        return Size(*(max(1, int(side * factor)) for side in sides))

    def read(self, index: int) -> Record:
        """Image (h, w, 3) at the size that it is run at, labels (H, W) at their own."""
        record = self.dataset.read(index)
        height, width = record.image.shape[:2]
        factor = self._factor(Size(height, width))
        image, labels = record.image, record.labels
        if self.crop is not None:
            rows = _central(height, self.crop.height / factor)
            columns = _central(width, self.crop.width / factor)
            image = image[rows, columns]
            labels = None if labels is None else labels[rows, columns]
        resized = resize_image(image, self.run_size(Size(height, width)))
        return dataclasses.replace(record, image=resized, labels=labels)

    def read_labels(self, index: int) -> UInt8Array | None:
        """(H, W) uint8 train ids of the part that is counted."""
        return self.dataset.read_labels(index) if self.crop is None else self.read(index).labels

    def _factor(self, size: Size) -> float:
        return find_factor(size, self.long_edge, self.short_edge, self.enlarge)


def find_factor(size: Size, long_edge: int | None, short_edge: int | None, enlarge: float) -> float:
    """The factor by which an image is resized: of ``short_edge``, else ``long_edge``, else
    ``enlarge``.
    """
    if short_edge is not None:
        return short_edge / min(size)
    return enlarge if long_edge is None else long_edge / max(size)


def bring_to(edge: int, length: int, sides: Sequence[int]) -> Size:
    """Height and width in pixels of ``sides`` once an edge of length ``length`` becomes ``edge``.

    That edge gets exactly its new length; the other side is rounded down.
    """
    return Size(*(max(1, side * edge // length) for side in sides))


def _count_central(side: int, wanted: float) -> int:
    return min(side, max(1, round(wanted)))


def _central(side: int, wanted: float) -> slice:
    kept = _count_central(side, wanted)
    start = (side - kept) // 2
    return slice(start, start + kept)


def resize_image(image: UInt8Array, size: Size) -> UInt8Array:
    """(H, W, 3) uint8 RGB at another size, bicubic (METHOD section 6)."""
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)
    labels = torch.zeros(image.shape[:2], dtype=torch.uint8)
    resized, _ = resize_part(pixels, labels, size, slice(0, size.height), slice(0, size.width))
    array: UInt8Array = resized.permute(1, 2, 0).contiguous().numpy()
    return array
