"""The frozen result of an evaluation, and the form of it that JSON holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hierseg.errors import UserError
from hierseg.evaluation.formatting import none_if_nan
from hierseg.metrics import SegmentationScores


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found and how it was run.

    Attributes:
        scores: The measures, fractions in [0, 1].
        confusion: (K, K) pixel counts as nested tuples, rows truth, columns prediction.
        data: Name of the data set.
        split: Its split.
        names: Class names by train id.
        scales: Scales that the images were run at.
        flip: Whether the mirrored images were run too.
        images: Images that were counted.
        note: How the split differs from the standard one of that name; empty where it does not.
        mode: whole, or the windows that were slid, or whose label maps were scored.
        unlabelled: Counted pixels of each class that label maps leave open; none of a network's.
    """

    scores: SegmentationScores
    confusion: tuple[tuple[int, ...], ...]
    data: str
    split: str
    names: tuple[str, ...]
    scales: tuple[float, ...]
    flip: bool
    images: int
    note: str = ""
    mode: str = "whole"
    unlabelled: tuple[int, ...] = ()

    def summary(self) -> dict[str, Any]:
        """The few numbers that a training record keeps."""
        return {
            "miou": none_if_nan(self.scores.miou),
            "num_classes_averaged": self.scores.num_classes_averaged,
            "pixel_accuracy": none_if_nan(self.scores.pixel_accuracy),
            "data": self.data,
            "split": self.split,
            "standard_split": not self.note,
            "split_note": self.note,
            "scales": list(self.scales),
            "flip": self.flip,
            "images": self.images,
        }

    def to_json(self) -> dict[str, Any]:
        """Everything, fractions in [0, 1]; null for a class that occurs in no image."""
        scores = self.scores
        return {
            **self.summary(),
            "mode": self.mode,
            "mean_class_accuracy": none_if_nan(scores.mean_class_accuracy),
            "frequency_weighted_iou": none_if_nan(scores.frequency_weighted_iou),
            "per_class": _nullable(scores.iou),
            "precision": _nullable(scores.precision),
            "recall": _nullable(scores.recall),
            "confusion": [list(row) for row in self.confusion],
            "unlabelled": list(self.unlabelled) or [0] * len(self.names),
        }


def require_counted(result: Evaluation) -> None:
    """UserError where no pixel of an evaluation counts, of which there is no figure."""
    if any(map(any, result.confusion)) or any(result.unlabelled):
        return
    note = f" ({result.note})" if result.note else ""
    raise UserError(
        f"no pixel of split '{result.split}' of {result.data}{note} has a class: its label maps "
        "are ignored throughout; see what ids they hold with `hierseg check`."
    )


def _nullable(values: dict[str, float]) -> dict[str, float | None]:
    return {name: none_if_nan(value) for name, value in values.items()}
