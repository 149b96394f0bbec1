"""Ranks the images with the highest and lowest mIoU while a split is evaluated."""

from __future__ import annotations

import math
from typing import NamedTuple

from hierseg.data import Record, SegmentationDataset
from hierseg.evaluation import Labels
from hierseg.metrics import ConfusionMatrix


class Ranked(NamedTuple):
    """A ranked image.

    Attributes:
        miou: Mean IoU over the classes in its truth or prediction, in [0, 1].
        place: Index of the sample in its split.
        wrong: Number of counted pixels whose label is wrong.
        labels: (H, W) uint8 train ids.
    """

    miou: float
    place: int
    wrong: int
    labels: Labels


class Ranking:
    """Looks at each image as it is evaluated.

    Args:
        dataset: The split.
        count: Number of best images to keep, and of worst ones.
    """

    def __init__(self, dataset: SegmentationDataset, count: int) -> None:
        self._space, self._count = dataset.label_space, count
        self._kept: list[Ranked] = []

    def look(self, index: int, record: Record, labels: Labels) -> None:
        """Rank one image."""
        assert record.labels is not None
        matrix = ConfusionMatrix(self._space.num_classes, self._space.ignore)
        matrix.update(labels, record.labels)
        miou = matrix.scores(self._space.names).miou
        if math.isnan(miou):
            return
        wrong = int(matrix.matrix.sum() - matrix.matrix.trace())
        self._kept.append(Ranked(miou, index, wrong, labels.copy()))
        self._kept.sort(key=lambda one: (one.miou, one.place))
        if len(self._kept) > 2 * self._count:
            del self._kept[self._count]

    @property
    def worst(self) -> list[Ranked]:
        """The worst images, the lowest mIoU first; of few images, half of them."""
        return self._kept[: math.ceil(len(self._kept) / 2)][: self._count]

    @property
    def best(self) -> list[Ranked]:
        """The best images, the highest mIoU first."""
        return self._kept[len(self.worst) :][::-1]
