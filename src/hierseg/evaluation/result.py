"""The immutable result of an evaluation, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hierseg.errors import UserError
from hierseg.evaluation.formatting import none_if_nan
from hierseg.metrics import SegmentationScores


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation, and how it was run.

    Attributes:
        scores: The measures, fractions in [0, 1].
        confusion: (K, K) pixel counts as nested tuples, rows truth, columns prediction.
        data: Name of the data set.
        split: Its split.
        names: Class names by train id.
        scales: Scales that the images were run at.
        flip: Whether the mirrored images were run too.
        images: Number of images counted.
        note: How the split differs from the standard one of that name; empty if it does not.
        mode: "whole", a description of the sliding windows, or the folder of scored label maps.
        unlabelled: Counted pixels of each class to which label maps give no class; empty for a
            network.
        loss: Cross-entropy in nats, the mean over all counted pixels of the split; None for label
            maps, or if it is not finite.
        criterion: Mean over images of the given criterion; None if none was given, for label maps,
            or if it is not finite.
        per_scale: Scale -> the measures of that scale's logits alone; empty unless asked for.
        counted_at: Size at which pixels were counted: the label map's, or that of the run.
        fusion: The fusion of scales; empty for the network's own.
        engine: The engine, and why it was chosen; empty for torch in float32.
        gate: How the largest scale was gated; empty if it was run whole.
        processes: Processes that shared the images; the figures do not depend on it.
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
    loss: float | None = None
    criterion: float | None = None
    per_scale: Mapping[float, SegmentationScores] = field(default_factory=dict)
    counted_at: Literal["label", "run"] = "label"
    fusion: str = ""
    engine: str = ""
    gate: str = ""
    processes: int = 1

    @property
    def true_positives(self) -> dict[str, int]:
        """Class -> counted pixels that have it in truth and prediction."""
        return {name: self.confusion[k][k] for k, name in enumerate(self.names)}

    @property
    def false_positives(self) -> dict[str, int]:
        """Class -> counted pixels that have it only in the prediction."""
        columns = map(sum, zip(*self.confusion, strict=True))
        right = self.true_positives
        return {name: c - right[name] for name, c in zip(self.names, columns, strict=True)}

    @property
    def false_negatives(self) -> dict[str, int]:
        """Class -> counted pixels that have it only in the truth, unlabelled ones included."""
        open_pixels = self.unlabelled or (0,) * len(self.names)
        rows, right = map(sum, self.confusion), self.true_positives
        return {
            name: row + left - right[name]
            for name, row, left in zip(self.names, rows, open_pixels, strict=True)
        }

    def summary(self) -> dict[str, Any]:
        """The few figures that a training record keeps."""
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
        """The result as JSON, fractions in [0, 1]; null for a class that occurs in no image."""
        scores = self.scores
        return {
            **self.summary(),
            "mode": self.mode,
            "counted_at": self.counted_at,
            **({"fusion": self.fusion} if self.fusion else {}),
            **({"engine": self.engine} if self.engine else {}),
            **({"gate": self.gate} if self.gate else {}),
            "processes": self.processes,
            "loss": self.loss,
            **({} if self.criterion is None else {"criterion": self.criterion}),
            "mean_class_accuracy": none_if_nan(scores.mean_class_accuracy),
            "frequency_weighted_iou": none_if_nan(scores.frequency_weighted_iou),
            "per_class": _nullable(scores.iou),
            "precision": _nullable(scores.precision),
            "recall": _nullable(scores.recall),
            "true_positives": self.true_positives,
            "false_positives": self.false_positives,
            "false_negatives": self.false_negatives,
            **({"per_scale": self._describe_scales()} if self.per_scale else {}),
            "confusion": [list(row) for row in self.confusion],
            "unlabelled": list(self.unlabelled) or [0] * len(self.names),
        }

    def _describe_scales(self) -> dict[str, Any]:
        return {
            f"{scale:g}": {"miou": none_if_nan(found.miou), "per_class": _nullable(found.iou)}
            for scale, found in sorted(self.per_scale.items())
        }


def require_counted(result: Evaluation) -> None:
    """UserError if no pixel of an evaluation counts, so that it has no figures."""
    if any(map(any, result.confusion)) or any(result.unlabelled):
        return
    note = f" ({result.note})" if result.note else ""
    raise UserError(
        f"no pixel of split '{result.split}' of {result.data}{note} has a class: its label maps "
        "are ignored throughout; see what ids they hold with `hierseg check`."
    )


def _nullable(values: dict[str, float]) -> dict[str, float | None]:
    return {name: none_if_nan(value) for name, value in values.items()}
