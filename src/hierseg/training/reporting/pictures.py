"""What the network makes of a few images at each validation, for TensorBoard."""

from __future__ import annotations

import cv2
import numpy as np

from hierseg.data import Record
from hierseg.evaluation import Labels
from hierseg.labels import LabelSpace
from hierseg.media import Picture, render_color

COUNT = 4
LONGEST_SIDE = 512
"""Pixels: an event file keeps every validation's pictures."""


class SamplePictures:
    """Watches a validation, and keeps image, truth and prediction of a few fixed images.

    Args:
        images: Images of the validation; those that are kept lie evenly among them.
        space: Gives the colours.
        processes: How many share the images; those that are kept are the first one's.
    """

    def __init__(self, images: int, space: LabelSpace, processes: int = 1) -> None:
        last = (images - 1) // processes
        places = {round(i * last / max(1, COUNT - 1)) for i in range(COUNT)}
        self.indices = {place * processes for place in places}
        self.pictures: dict[str, Picture] = {}
        self._space = space

    def look(self, index: int, record: Record, labels: Labels) -> None:
        """Keep (H, 3 W + gaps, 3) RGB of a sample that is among the few."""
        if index not in self.indices:
            return
        assert record.labels is not None
        height, width = record.labels.shape
        scale = min(1.0, LONGEST_SIDE / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = cv2.resize(record.image, size, interpolation=cv2.INTER_AREA)
        maps = [
            render_color(
                np.asarray(cv2.resize(found, size, interpolation=cv2.INTER_NEAREST), np.uint8),
                self._space,
            )
            for found in (record.labels, labels)
        ]
        gap = np.full((size[1], 4, 3), 255, np.uint8)
        self.pictures[record.name] = np.hstack([image, gap, maps[0], gap, maps[1]])
