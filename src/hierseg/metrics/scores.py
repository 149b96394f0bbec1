"""Scores of a confusion matrix (METHOD section 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SegmentationScores:
    """Measures of a whole data set, fractions in [0, 1]; NaN where nothing was counted.

    Attributes:
        miou: Mean IoU over the classes that occur in truth or prediction.
        num_classes_averaged: Number of classes in that mean.
        pixel_accuracy: Share of counted pixels whose label is right.
        mean_class_accuracy: Mean recall over the classes that occur in the truth.
        frequency_weighted_iou: Mean IoU weighted by the classes' share of the truth.
        iou: TP / (TP + FP + FN) by class name.
        precision: TP / (TP + FP) by class name.
        recall: TP / (TP + FN) by class name.
    """

    miou: float
    num_classes_averaged: int
    pixel_accuracy: float
    mean_class_accuracy: float
    frequency_weighted_iou: float
    iou: dict[str, float]
    precision: dict[str, float]
    recall: dict[str, float]

    @classmethod
    def from_confusion(
        cls, matrix: Tensor, names: Sequence[str], unlabelled: Tensor | None = None
    ) -> SegmentationScores:
        """From a (K, K) integer matrix, rows truth, and K class names.

        ``unlabelled`` is (K,): pixels of each class for which no class was predicted. They count as
        misses.

        Raises:
            ValueError: The number of names is not K.
        """
        if len(names) != len(matrix):
            raise ValueError(f"{len(names)} names for {len(matrix)} classes")
        counts = matrix.double().cpu()
        right, truth, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
        if unlabelled is not None:
            truth = truth + unlabelled.double().cpu()
        union = truth + predicted - right
        # 0 / 0 is NaN, which marks a class that does not occur.
        iou, precision, recall = right / union, right / predicted, right / truth
        return cls(
            miou=float(iou.nanmean()),
            num_classes_averaged=int((union > 0).sum()),
            pixel_accuracy=float(right.sum() / truth.sum()),
            mean_class_accuracy=float(recall.nanmean()),
            frequency_weighted_iou=float(torch.nansum(iou * truth) / truth.sum()),
            iou=_by_name(names, iou),
            precision=_by_name(names, precision),
            recall=_by_name(names, recall),
        )


def _by_name(names: Sequence[str], values: Tensor) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))
