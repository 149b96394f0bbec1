"""The confusion matrix of a whole set (METHOD section 9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from hierseg.errors import UserError
from hierseg.metrics.scores import SegmentationScores

LabelMap = Tensor | npt.NDArray[Any]


class ConfusionMatrix:
    """Counts pixels by true and predicted class, in 64 bits; rows truth, columns prediction.

    Args:
        num_classes: K.
        ignore: The label that does not count.

    Attributes:
        matrix: (K, K) int64 tensor on the CPU.
        unlabelled: (K,) int64, pixels of each true class whose prediction is ``ignore``.
    """

    def __init__(self, num_classes: int, ignore: int = 255) -> None:
        self.num_classes = num_classes
        self.ignore = ignore
        self.matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
        self.unlabelled = torch.zeros(num_classes, dtype=torch.int64)

    def update(self, prediction: LabelMap, labels: LabelMap, unlabelled: bool = False) -> None:
        """Count one label map, or several of one shape.

        Args:
            prediction: Integer train ids, (H, W) or any shape; array or tensor, any device.
            labels: Train ids or ``ignore``, of the same shape.
            unlabelled: Accept predictions of ``ignore``: misses of the true class, and false
                positives of no class.

        Raises:
            UserError: The shapes differ, a counted pixel's prediction is outside 0..K-1, or a label
                is neither a class nor ``ignore``. The matrix then stays as it was.
        """
        predicted = _integers(prediction, "prediction")
        truth = _integers(labels, "label map").to(predicted.device)
        if predicted.shape != truth.shape:
            raise UserError(
                f"the prediction is {_shape(predicted)} and the label map {_shape(truth)}; "
                "give predictions at the size of their label map."
            )
        counted = truth != self.ignore
        truth, predicted = truth[counted], predicted[counted]
        self._check(truth, "label map")
        given = predicted != self.ignore if unlabelled else None
        open_truth = truth[:0] if given is None else truth[~given]
        if given is not None:
            truth, predicted = truth[given], predicted[given]
        self._check(predicted, "prediction")
        cells = truth * self.num_classes + predicted
        counts = torch.bincount(cells, minlength=self.num_classes**2)
        self.matrix += counts.view(self.num_classes, self.num_classes).cpu()
        self.unlabelled += torch.bincount(open_truth, minlength=self.num_classes).cpu()

    def merge(self, other: ConfusionMatrix) -> None:
        """Add the counts of another matrix with the same number of classes.

        Raises:
            ValueError: The numbers of classes differ.
        """
        if other.num_classes != self.num_classes:
            raise ValueError(f"{other.num_classes} classes do not add to {self.num_classes}")
        self.matrix += other.matrix
        self.unlabelled += other.unlabelled

    def scores(self, names: Sequence[str]) -> SegmentationScores:
        """The measures of METHOD section 9; ``names`` are the K class names."""
        return SegmentationScores.from_confusion(self.matrix, names, self.unlabelled)

    def _check(self, ids: Tensor, what: str) -> None:
        if ids.numel() == 0:
            return
        low, high = (int(bound) for bound in torch.aminmax(ids))
        if low < 0 or high >= self.num_classes:
            wrong = low if low < 0 else high
            raise UserError(
                f"the {what} holds class id {wrong}, but its {self.num_classes} classes are "
                f"0 to {self.num_classes - 1}; give label maps in the data set's train ids."
            )


def _integers(labels: LabelMap, what: str) -> Tensor:
    tensor = torch.as_tensor(labels)
    if tensor.is_floating_point() or tensor.is_complex():
        raise TypeError(f"a {what} holds integer ids, not {tensor.dtype}")
    return tensor.long()


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape))
