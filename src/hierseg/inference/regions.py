"""Measures of a label map: shares and statistics of classes, and the outlines of regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.labels import LabelSpace

ROWS = 256
"""Rows of a label map that are counted at a time."""

Points = npt.NDArray[np.int32]


class ClassStatistics(NamedTuple):
    """Statistics of one class in an image.

    Attributes:
        pixels: Number of its pixels.
        share: Share of the segmented pixels, in [0, 1].
        confidence: Mean confidence of its pixels, in [0, 1].
        regions: Number of its connected regions; pixels that touch at a corner are connected.
    """

    pixels: int
    share: float
    confidence: float
    regions: int


@dataclass(frozen=True, eq=False)
class Polygon:
    """The outline of one region.

    Attributes:
        name: Name of the class.
        train_id: Train id of the class.
        exterior: (N, 2) int32 x and y of pixels on the region's border, in order; fewer than three
            points if the region is a pixel or a line.
        holes: (N, 2) int32 for each hole: the region's pixels around it, in order.
        area: Number of pixels of the region.
        confidence: Mean confidence of these pixels, in [0, 1].
    """

    name: str
    train_id: int
    exterior: Points
    holes: tuple[Points, ...]
    area: int
    confidence: float


def class_shares(labels: npt.NDArray[np.uint8], space: LabelSpace) -> dict[str, float]:
    """Name -> share of all pixels in [0, 1], of the classes that occur, largest first."""
    counts = _count(labels)[: space.num_classes]
    order = np.argsort(-counts, kind="stable")
    return {space.names[i]: float(counts[i] / labels.size) for i in order if counts[i]}


def measure_classes(
    labels: npt.NDArray[np.uint8],
    confidence: npt.NDArray[np.float32],
    space: LabelSpace,
    pixels: int,
) -> dict[str, ClassStatistics]:
    """Name -> statistics, of the classes that occur, largest first.

    Args:
        labels: (H, W) train ids.
        confidence: (H, W) in [0, 1].
        space: The label space of the train ids.
        pixels: Number of pixels that were segmented.
    """
    counts, sums = _count(labels), np.zeros(256)
    for top in range(0, len(labels), ROWS):
        rows = slice(top, top + ROWS)
        sums += np.bincount(labels[rows].ravel(), confidence[rows].ravel(), minlength=256)
    found = {}
    for train in np.argsort(-counts[: space.num_classes], kind="stable").tolist():
        if not counts[train]:
            continue
        parts, _ = cv2.connectedComponents(np.equal(labels, train).astype(np.uint8))
        mean = float(sums[train] / counts[train])
        share = float(counts[train] / pixels)
        found[space.names[train]] = ClassStatistics(int(counts[train]), share, mean, parts - 1)
    return found


def find_polygons(
    labels: npt.NDArray[np.uint8],
    confidence: npt.NDArray[np.float32],
    space: LabelSpace,
    classes: Sequence[int],
    smallest: int = 1,
    tolerance: float = 0.0,
) -> list[Polygon]:
    """The outlines of the regions of classes; arguments as of ``Prediction.polygons``."""
    counts = _count(labels)
    found = []
    for train in classes:
        if counts[train] < max(1, smallest):
            continue
        mask = np.equal(labels, train).astype(np.uint8)
        of_class = [
            Polygon(space.names[train], train, *outline, area, mean)
            for outline, area, mean in _outline_regions(mask, confidence, smallest, tolerance)
        ]
        found += sorted(of_class, key=lambda one: -one.area)
    return found


def _outline_regions(
    mask: npt.NDArray[np.uint8],
    confidence: npt.NDArray[np.float32],
    smallest: int,
    tolerance: float,
) -> list[tuple[tuple[Points, tuple[Points, ...]], int, float]]:
    count, numbers, facts, _ = cv2.connectedComponentsWithStats(mask)
    sums = np.bincount(numbers.ravel(), confidence.ravel(), minlength=count)
    contours, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for index, contour in enumerate(contours):
        if hierarchy[0][index][3] >= 0:  # a hole, which is listed with the region around it
            continue
        column, row = contour[0, 0]
        number = numbers[row, column]
        area = int(facts[number, cv2.CC_STAT_AREA])
        if area < smallest:
            continue
        holes, inner = [], hierarchy[0][index][2]
        while inner >= 0:
            holes.append(_simplify(contours[inner], tolerance))
            inner = hierarchy[0][inner][0]
        outline = _simplify(contour, tolerance), tuple(holes)
        found.append((outline, area, float(sums[number] / area)))
    return found


def _simplify(contour: npt.NDArray[Any], tolerance: float) -> Points:
    if tolerance > 0:
        contour = cv2.approxPolyDP(contour, tolerance, closed=True)
    return np.asarray(contour[:, 0], np.int32)


def _count(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """(256,) pixels by train id."""
    counts = np.zeros(256, np.int64)
    for top in range(0, len(labels), ROWS):  # bincount converts each label to 64 bits
        counts += np.bincount(labels[top : top + ROWS].ravel(), minlength=256)
    return counts
