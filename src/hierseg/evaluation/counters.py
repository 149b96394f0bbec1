"""What an evaluation counts besides label maps: the loss, and the scores of each scale alone."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from hierseg.data import Record, SegmentationDataset
from hierseg.errors import lacks_memory
from hierseg.evaluation.scoring import Labels
from hierseg.inference import Segmentation
from hierseg.metrics import ConfusionMatrix, SegmentationScores, sum_cross_entropy
from hierseg.processes import alone, sum_over_processes

Criterion = Callable[[Tensor, Tensor], Tensor]
"""(1, K, H, W) float logits and (1, H, W) int64 train ids to a scalar."""


class LossCounter:
    """Sums the cross-entropy of each image, and a criterion where one is given.

    The figures of each image are kept apart and added exactly at the end, so that the order of the
    images and the number of processes change no digit.

    Args:
        dataset: The split.
        images: Number of images that all processes count.
        criterion: A further loss of each image by itself, such as that of training.
    """

    def __init__(
        self, dataset: SegmentationDataset, images: int, criterion: Criterion | None = None
    ) -> None:
        self.ignore, self.criterion = dataset.label_space.ignore, criterion
        self._sums = torch.zeros(images, dtype=torch.float64)
        self._pixels = torch.zeros(images, dtype=torch.int64)
        self._criteria = torch.zeros(images, dtype=torch.float64)

    def look(self, index: int, record: Record, labels: Labels) -> None:
        """Do nothing: the loss needs logits."""

    def look_at_logits(self, index: int, record: Record, logits: Tensor) -> None:
        """Count one image."""
        assert record.labels is not None
        truth = torch.from_numpy(record.labels)
        self._sums[index], self._pixels[index] = sum_cross_entropy(logits, truth, self.ignore)
        if self.criterion is not None:
            self._criteria[index] = self._run(self.criterion, logits, truth)

    def copy_for_worker(self) -> LossCounter:
        """See ``PortableWatcher``."""
        copy_of = copy.copy(self)
        for name in ("_sums", "_pixels", "_criteria"):
            setattr(copy_of, name, torch.zeros_like(getattr(self, name)))
        return copy_of

    def expect(self, index: int) -> None:
        """Nothing."""

    def hand_over(self, index: int) -> tuple[float, ...]:
        """See ``Noting``."""
        return tuple(place[index].item() for place in (self._sums, self._pixels, self._criteria))

    def take(self, index: int, seen: tuple[float, int, float]) -> None:
        """See ``PortableWatcher``."""
        self._sums[index], self._pixels[index], self._criteria[index] = seen

    def _run(self, criterion: Criterion, logits: Tensor, truth: Tensor) -> float:
        """The criterion of an image; NaN if memory does not suffice for it."""
        try:
            with torch.no_grad(), alone():  # other processes have other images, or none
                return float(criterion(logits.clone()[None], truth.long().to(logits.device)[None]))
        except (MemoryError, RuntimeError) as error:
            if not lacks_memory(error):
                raise
            return math.nan

    def finish(self) -> tuple[float | None, float | None]:
        """The mean cross-entropy of counted pixels, and the mean criterion of images, over all
        processes; None if there is none, or it is not finite.
        """
        pixels = int(sum_over_processes(self._pixels).sum())
        # Of each place all processes but one hold 0, so that this sum is exact.
        loss = add_exactly(sum_over_processes(self._sums)) / pixels if pixels else math.nan
        images = len(self._criteria)
        criterion = add_exactly(sum_over_processes(self._criteria)) / images
        return (
            loss if math.isfinite(loss) else None,
            criterion if self.criterion is not None and math.isfinite(criterion) else None,
        )


class ScaleCounter:
    """Counts the label maps of each scale's logits alone, in one confusion matrix each.

    Args:
        dataset: The split.
        scales: The scales that are run, if they are known.
    """

    can_miss = False

    def __init__(self, dataset: SegmentationDataset, scales: tuple[float, ...] = ()) -> None:
        self.space = dataset.label_space
        self._matrices: dict[float, ConfusionMatrix] = {}
        for scale in sorted(scales):
            self._find(scale)

    def wants(self, index: int) -> bool:
        """Every image."""
        return True

    def look(self, index: int, record: Record, labels: Labels) -> None:
        """Do nothing: these labels are those of the fused scales."""

    def look_at_details(self, index: int, record: Record, details: Segmentation) -> None:
        """Count one image."""
        assert record.labels is not None
        for scale, labels in (details.per_scale or {}).items():
            self._find(scale).update(labels, record.labels)

    def copy_for_worker(self) -> ScaleCounter:
        """See ``PortableWatcher``."""
        copy_of = copy.copy(self)
        copy_of._matrices = {}
        return copy_of

    def expect(self, index: int) -> None:
        """Nothing."""

    def hand_over(self, index: int) -> dict[float, Tensor]:
        """See ``Noting``."""
        counts = {scale: one.matrix for scale, one in self._matrices.items()}
        self._matrices = {}
        return counts

    def take(self, index: int, seen: Mapping[float, Tensor]) -> None:
        """See ``PortableWatcher``."""
        for scale, counts in seen.items():
            self._find(scale).matrix += counts

    def finish(self) -> Mapping[float, SegmentationScores]:
        """The measures of each scale, over all processes."""
        for matrix in self._matrices.values():
            matrix.matrix = sum_over_processes(matrix.matrix)
        return {
            scale: one.scores(self.space.names) for scale, one in sorted(self._matrices.items())
        }

    def _find(self, scale: float) -> ConfusionMatrix:
        if scale not in self._matrices:
            self._matrices[scale] = ConfusionMatrix(self.space.num_classes, self.space.ignore)
        return self._matrices[scale]


def add_exactly(values: Tensor) -> float:
    """The sum of float64 values, rounded once; NaN if it is not finite."""
    try:
        return math.fsum(values.tolist())
    except (OverflowError, ValueError):
        return math.nan
