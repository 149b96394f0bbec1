"""A split as HMSA's figure on Mapillary counts it: images and labels brought to one size."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from hierseg.data.base import Record, SegmentationDataset
from hierseg.data.reading import UInt8Array
from hierseg.data.resampling import pick_nearest
from hierseg.data.view import ResizedDataset
from hierseg.size import Size


class PublishedView(ResizedDataset):
    """A split whose images and labels are both brought to a long edge, and counted there.

    Images are resized bilinearly (antialiased where they shrink), labels by nearest neighbour.
    Counted are the pixels of the resized labels, so compare figures only with those counted in the
    same way.

    Args:
        dataset: The split.
        long_edge: Pixels that the longer side of images and labels is brought to.
    """

    counted_at: Literal["label", "run"] = "run"

    def __init__(self, dataset: SegmentationDataset, long_edge: int) -> None:
        super().__init__(dataset, long_edge, None)
        self.note += ", labels too (nearest, the image bilinear)"

    def read(self, index: int) -> Record:
        """Image (h, w, 3) and labels (h, w), both at the size that the image is run at."""
        record = self.dataset.read(index)
        size = self.run_size(Size(*record.image.shape[:2]))
        labels = None if record.labels is None else _resize_labels(record.labels, size)
        return dataclasses.replace(
            record, image=_resize_bilinearly(record.image, size), labels=labels
        )

    def read_labels(self, index: int) -> UInt8Array | None:
        """(h, w) uint8 train ids that are counted."""
        return self.read(index).labels


def _resize_bilinearly(image: UInt8Array, size: Size) -> UInt8Array:
    if image.shape[:2] == size:
        return image
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)
    resized = functional.resize(pixels, list(size), InterpolationMode.BILINEAR, antialias=True)
    return np.asarray(resized.permute(1, 2, 0).contiguous().numpy(), np.uint8)


def _resize_labels(labels: UInt8Array, size: Size) -> UInt8Array:
    rows, columns = slice(0, size.height), slice(0, size.width)
    picked = pick_nearest(torch.from_numpy(labels.copy()), size, rows, columns)
    return np.asarray(picked.numpy(), np.uint8)
