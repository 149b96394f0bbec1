"""What is counted of an image's auto-labels: pixels and confidence by class."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hierseg.data import BINS, AutoHeader, AutoRecord, read_confidence, read_label_ids

Counts = dict[str, tuple[int, int, int]]


def quantise(confidence: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """(H, W) probabilities in [0, 1] as round(255 * p), 8 bits; 0 where there is none (NaN)."""
    return np.rint(np.nan_to_num(confidence.astype(np.float64)) * 255).astype(np.uint8)


def count_labels(
    labels: npt.NDArray[np.uint8], confidence: npt.NDArray[np.uint8], header: AutoHeader
) -> tuple[Counts, tuple[int, ...]]:
    """The ``classes`` and the ``histogram`` of a record.

    Args:
        labels: (H, W) train ids.
        confidence: (H, W) 0 to 255.
        header: Its threshold keeps pixels as the loader of auto-labels does.
    """
    count = header.label_space.num_classes
    pairs = labels.ravel().astype(np.int64) * 256 + confidence.ravel()
    table = np.bincount(pairs, minlength=256 * 256).reshape(256, 256)[:count]  # class, level
    levels = np.arange(256)
    kept = levels >= header.threshold * 255
    classes = {
        str(train): (int(row.sum()), int(row @ levels), int(row[kept].sum()))
        for train, row in enumerate(table)
        if row.any()
    }
    return classes, tuple(table.sum(0).reshape(BINS, -1).sum(1).tolist())


def recount(record: AutoRecord, out: Path, header: AutoHeader) -> AutoRecord:
    """A record as the threshold of another header counts it, from its files."""
    space = header.label_space
    labels = space.encode(read_label_ids(out / record.label, space.known_raw_ids))
    confidence = read_confidence(out / record.confidence)
    classes, histogram = count_labels(labels, confidence, header)
    return dataclasses.replace(record, classes=classes, histogram=histogram)
