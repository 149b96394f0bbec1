"""Pictures of a few images at each validation, for TensorBoard."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.data import Record
from hierseg.evaluation import Labels
from hierseg.inference import Segmentation
from hierseg.labels import LabelSpace
from hierseg.media import Picture, render_color, render_heat

COUNT = 4
LONGEST_SIDE = 512
"""Largest side in pixels; small, since an event file keeps every validation's pictures."""


class SamplePictures:
    """Watches a validation, and keeps image, truth, prediction and the attention of each scale
    that has one, beside each other, of a few fixed images.

    Args:
        images: Images of the validation; those that are kept lie evenly among them.
        space: Gives the colours.
        processes: How many share the images; those that are kept are the first one's.
    """

    def __init__(self, images: int, space: LabelSpace, processes: int = 1) -> None:
        self.indices = choose_samples(images, COUNT, processes)
        self._heat: list[Picture] = []
        self.pictures: dict[str, Picture] = {}
        self._space = space

    can_miss = True

    def wants(self, index: int) -> bool:
        """Whether a sample is among the few."""
        return index in self.indices

    def look_at_details(self, index: int, record: Record, details: Segmentation) -> None:
        """Keep the attention of each scale until the labels come."""
        maps = (details.attention or {}).values()
        self._heat = [render_heat(shrink_map(weight)) for weight in maps]

    def look(self, index: int, record: Record, labels: Labels) -> None:
        """Keep (h, n w + gaps, 3) RGB of a sample that is among the few, of n pictures."""
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
        heat, self._heat = self._heat, []
        gap = np.full((size[1], 4, 3), 255, np.uint8)
        row = [image]
        for picture in (*maps, *heat):
            row += [gap, picture]
        self.pictures[record.name] = np.hstack(row)


def choose_samples(images: int, count: int, processes: int = 1) -> set[int]:
    """So many samples that lie evenly among all, of those that the first process sees."""
    last = (images - 1) // processes
    return {round(i * last / max(1, count - 1)) * processes for i in range(count)}


def shrink_map(weight: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(H, W) weights at the size that pictures are kept at."""
    height, width = weight.shape
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(weight, size, interpolation=cv2.INTER_AREA), np.float32)
