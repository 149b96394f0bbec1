"""Boundary IoU: the overlap of the bands along the borders of classes.

Cheng, Girshick, Dollár, Berg, Kirillov, *Boundary IoU*, CVPR 2021, arXiv 2103.16562. H and W are
the image's size, K classes.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[Any]
Counts = npt.NDArray[np.int64]

CITYSCAPES_SIZE = (1024, 2048)
CITYSCAPES_SHARE, SHARE = 0.005, 0.02
"""Band widths as shares of the image diagonal: for Cityscapes' size, and for all others (section 5
of the paper)."""


class BandCounts(NamedTuple):
    """Pixels of one image by class, (K,) int64 each.

    Attributes:
        both: Pixels in the class's band in the truth and in the prediction.
        either: Pixels in the class's band in at least one of the two.
    """

    both: Counts
    either: Counts


def band_width(height: int, width: int, share: float | None = None) -> int:
    """Width of a band, measured inwards from the border, in pixels; at least 1.

    Args:
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        share: Share of the diagonal; None for 0.5% at Cityscapes' size and 2% at any other.
    """
    if share is None:
        share = CITYSCAPES_SHARE if (height, width) == CITYSCAPES_SIZE else SHARE
    return max(1, round(share * math.hypot(height, width)))


def find_band(labels: Labels, outside: int, width: int) -> npt.NDArray[np.bool_]:
    """Pixels in the band of their own label, for all labels at once.

    The band of a mask is the part of it that ``width`` erosions by 3x3 remove. A label map
    partitions the image, so a pixel is in the band of its label if the square of ``width`` pixels
    around it has several labels: if their maximum differs from their minimum. Outside the image
    counts as another label, as in the paper.

    Args:
        labels: (H, W) uint8 or uint16.
        outside: A value larger than any label.
        width: Width of the band in pixels.

    Returns:
        (H, W) bool.
    """
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    largest = cv2.dilate(labels, square, borderType=cv2.BORDER_CONSTANT, borderValue=(outside,))
    smallest = cv2.erode(labels, square)
    return np.asarray(largest != smallest, np.bool_)


def count_bands(prediction: Labels, truth: Labels, num_classes: int, width: int) -> BandCounts:
    """Compare the bands of all classes of an image.

    Args:
        prediction: (H, W) uint8 or uint16, 0 to K-1, or K for no class.
        truth: Likewise. Both are K in pixels that do not count, so that bands end there.
        num_classes: K.
        width: Width of the bands in pixels.
    """
    in_truth = find_band(truth, num_classes + 1, width)
    in_prediction = find_band(prediction, num_classes + 1, width)
    both = _count(truth[in_truth & in_prediction & (truth == prediction)], num_classes)
    one = _count(truth[in_truth], num_classes)
    other = _count(prediction[in_prediction], num_classes)
    return BandCounts(both, one + other - both)


def _count(labels: Labels, num_classes: int) -> Counts:
    counts: Counts = np.bincount(labels, minlength=num_classes + 1)[:num_classes].astype(np.int64)
    return counts
