"""Cityscapes' instance ids of a scene: which pixels belong to which thing."""

from __future__ import annotations

from collections import defaultdict

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.streets.canvas import Pixels
from hierseg.streets.figures import Figure
from hierseg.streets.stage import Item, Stage
from hierseg.streets.vehicles import Vehicle

FIRST, LAST = 24, 33
"""Label ids of the classes with instances: person to bicycle."""
BASE = 1000
_LABEL = 3  # the channel of a canvas
_UNTOUCHED = 255  # no label id that is painted

Ids = npt.NDArray[np.uint16]


class InstanceMap:
    """Watches things being painted, and keeps the pixels of each.

    Args:
        height: Of the canvas.
        width: Of the canvas.
    """

    def __init__(self, height: int, width: int) -> None:
        self.ids: Ids = np.zeros((height, width), np.uint16)
        self._counts: dict[int, int] = defaultdict(int)

    def paint(self, item: Item, stage: Stage) -> None:
        """Paint an item, one thing of each of its classes: a rider and a bicycle are two.

        What is no thing hides things by its label, which ``finish`` looks at.
        """
        if not isinstance(item, Figure | Vehicle):
            item.paint(stage)
            return
        pixels = stage.canvas.pixels
        before = cv2.extractChannel(pixels, _LABEL)
        cv2.insertChannel(np.full_like(before, _UNTOUCHED), pixels, _LABEL)
        item.paint(stage)  # what has a label after it is what was painted, hidden or not
        after = np.asarray(cv2.extractChannel(pixels, _LABEL), np.uint8)
        counts = np.ravel(cv2.calcHist([after], [0], None, [256], [0, 256]))
        for label in range(FIRST, LAST + 1):
            if counts[label]:
                self.ids[after == label] = label * BASE + self._counts[label]
                self._counts[label] += 1
        cv2.copyTo(before, (after == _UNTOUCHED).astype(np.uint8), after)
        cv2.insertChannel(after, pixels, _LABEL)

    def finish(self, sampled: Ids, labels: Pixels) -> Ids:
        """Instance ids (H, W), label * 1000 + number: of pixels of no thing, the label itself.

        Args:
            sampled: The pixels of ``ids`` that the label map has.
            labels: (H, W) the final label ids.
        """
        return np.where(sampled // BASE == labels, sampled, labels).astype(np.uint16)
