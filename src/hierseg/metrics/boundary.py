"""Accuracy of the classes' borders over a data set: Boundary IoU and the F-score of boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from hierseg.errors import UserError
from hierseg.metrics.bands import band_width, count_bands
from hierseg.metrics.contours import TOLERANCES, score_contours

LabelMap = Tensor | npt.NDArray[Any]


@dataclass(frozen=True)
class BoundaryScores:
    """Measures of a data set, fractions in [0, 1]; NaN where nothing was counted.

    Attributes:
        mean_iou: Mean Boundary IoU over the classes with a band in truth or prediction.
        num_classes_averaged: Number of classes in that mean.
        iou: Boundary IoU by class name; intersections and unions are summed over the set.
        widths: Widths of the bands that occurred, in pixels, ascending.
        mean_f_score: Tolerance in pixels -> mean of ``f_score`` over the classes that have one.
        f_score: Tolerance in pixels -> class name -> mean over the images in which the class has a
            border in truth or prediction. An image with a border in only one of them counts 0.
        mean_f_score_davis: Tolerance in pixels -> mean over classes, where an image without any
            border of a class counts 1, as in DAVIS. Rare classes then score high by absence.
        images: Number of images counted.
    """

    mean_iou: float
    num_classes_averaged: int
    iou: dict[str, float]
    widths: tuple[int, ...]
    mean_f_score: dict[int, float]
    f_score: dict[int, dict[str, float]]
    mean_f_score_davis: dict[int, float]
    images: int


class BoundaryCounts:
    """Counts the borders of a data set, image by image. Pixels whose truth is the ignore value are
    removed from truth and prediction before borders are traced.

    Args:
        num_classes: K.
        ignore: The label that does not count.
        share: Width of the bands of Boundary IoU as a share of the diagonal; None for 0.5% at
            Cityscapes' size and 2% at any other.
        tolerances: Tolerances of the F-score in pixels.
    """

    def __init__(
        self,
        num_classes: int,
        ignore: int = 255,
        share: float | None = None,
        tolerances: Sequence[int] = TOLERANCES,
    ) -> None:
        self.num_classes, self.ignore = num_classes, ignore
        self.share, self.tolerances = share, tuple(tolerances)
        self.images = 0
        self.widths: set[int] = set()
        self.both = np.zeros(num_classes, np.int64)
        self.either = np.zeros(num_classes, np.int64)
        self.f_sum = np.zeros((len(self.tolerances), num_classes))
        self.occurrences = np.zeros(num_classes, np.int64)

    def update(self, prediction: LabelMap, labels: LabelMap) -> None:
        """Count one image.

        Args:
            prediction: (H, W) integer train ids, or ``ignore`` for no class; array or tensor.
            labels: (H, W) train ids or ``ignore``.

        Raises:
            UserError: The maps differ in size, or a counted pixel has an id of no class.
        """
        predicted, truth = self._prepare(prediction, labels)
        width = band_width(truth.shape[0], truth.shape[1], self.share)
        bands = count_bands(predicted, truth, self.num_classes, width)
        contours = score_contours(predicted, truth, self.num_classes, self.tolerances)
        self.images += 1
        self.widths.add(width)
        self.both += bands.both
        self.either += bands.either
        self.f_sum += contours.f_score
        self.occurrences += contours.occurs

    def merge(self, other: BoundaryCounts) -> None:
        """Add the counts of another with the same settings.

        Raises:
            ValueError: Classes or tolerances differ.
        """
        if (self.num_classes, self.tolerances) != (other.num_classes, other.tolerances):
            raise ValueError("counts of other classes or tolerances do not add")
        self.images += other.images
        self.widths |= other.widths
        self.both += other.both
        self.either += other.either
        self.f_sum += other.f_sum
        self.occurrences += other.occurrences

    def scores(self, names: Sequence[str]) -> BoundaryScores:
        """The measures; ``names`` are the K class names.

        Raises:
            ValueError: The number of names is not K.
        """
        if len(names) != self.num_classes:
            raise ValueError(f"{len(names)} names for {self.num_classes} classes")
        with np.errstate(invalid="ignore"):  # 0 / 0 is NaN, which marks a class that is absent
            iou = self.both / self.either
            f_score = self.f_sum / self.occurrences
            absent = self.images - self.occurrences
            davis = (self.f_sum + absent) / (np.float64(self.images))
        by_tolerance = list(zip(self.tolerances, f_score, davis, strict=True))
        return BoundaryScores(
            mean_iou=_mean(iou),
            num_classes_averaged=int((self.either > 0).sum()),
            iou=_by_name(names, iou),
            widths=tuple(sorted(self.widths)),
            mean_f_score={tolerance: _mean(values) for tolerance, values, _ in by_tolerance},
            f_score={tolerance: _by_name(names, values) for tolerance, values, _ in by_tolerance},
            mean_f_score_davis={tolerance: _mean(values) for tolerance, _, values in by_tolerance},
            images=self.images,
        )

    def _prepare(
        self, prediction: LabelMap, labels: LabelMap
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Both maps with K in pixels without a class, and in those whose truth does not count."""
        predicted, truth = _as_array(prediction), _as_array(labels)
        if predicted.shape != truth.shape or truth.ndim != 2:
            raise UserError(
                f"the prediction is {'x'.join(map(str, predicted.shape))} and the label map "
                f"{'x'.join(map(str, truth.shape))}; give both at one size, HEIGHTxWIDTH."
            )
        ignored = truth == self.ignore
        for what, ids, left_out in (
            ("label map", truth, ignored),
            ("prediction", predicted, ignored | (predicted == self.ignore)),
        ):
            wrong = ids[((ids < 0) | (ids >= self.num_classes)) & ~left_out]
            if wrong.size:
                raise UserError(
                    f"the {what} holds class id {int(wrong[0])}, but its {self.num_classes} "
                    f"classes are 0 to {self.num_classes - 1}; give label maps in the data set's "
                    "train ids."
                )
        # Two more values than classes: no class, and outside the image.
        kind = np.uint8 if self.num_classes + 1 <= 255 else np.uint16
        unclassed = ignored | (predicted == self.ignore)
        return (
            np.where(unclassed, self.num_classes, predicted).astype(kind),
            np.where(ignored, self.num_classes, truth).astype(kind),
        )


def _as_array(labels: LabelMap) -> npt.NDArray[Any]:
    array = labels.cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"a label map holds integer ids, not {array.dtype}")
    return array


def _mean(values: npt.NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _by_name(names: Sequence[str], values: npt.NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))
