"""Label maps whose colours stand for classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hierseg.data.base import SegmentationDataset
from hierseg.data.reading import DataError, UInt8Array, read_label_colors


class ColorLabelledDataset(SegmentationDataset):
    """A data set whose label maps hold the classes' colours.

    ``train_ids`` says the train id, or ignore, of each RGB colour that may occur.
    """

    train_ids: dict[tuple[int, int, int], int]

    def encode_file(self, path: Path) -> UInt8Array:
        """(H, W) uint8 train ids of a label map; DataError naming it and colours of no class."""
        rgb = read_label_colors(path).astype(np.uint32)
        packed = (rgb[..., 0] << 16) | (rgb[..., 1] << 8) | rgb[..., 2]
        known = np.array([(r << 16) | (g << 8) | b for r, g, b in self.train_ids], np.uint32)
        values: UInt8Array = np.array(list(self.train_ids.values()), np.uint8)
        order = np.argsort(known)
        place = np.searchsorted(known, packed, sorter=order).clip(max=len(known) - 1)
        found = order[place]
        unknown = packed[known[found] != packed]
        if unknown.size:
            colors = [f"({c >> 16}, {c >> 8 & 255}, {c & 255})" for c in np.unique(unknown)[:10]]
            raise DataError(
                f"'{path}' has colours of no class: {', '.join(colors)}; add them to the classes, "
                "or to ignore."
            )
        labels: UInt8Array = values[found]
        return labels
