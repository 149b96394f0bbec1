"""The result of a run: its folder, and the figures of its best and its last epoch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hierseg.training.folder import RunFolder
from hierseg.training.reporting.journal import EPOCH_FIELDS
from hierseg.training.table import Row, read_table


@dataclass(frozen=True)
class EpochFigures:
    """The figures of an epoch, as ``epochs.csv`` has them.

    Attributes:
        epoch: The epoch's number, from 1.
        step: Steps done in all at its end.
        loss: Mean total loss over its steps; NaN if all were skipped.
        miou: Mean IoU on the validation split, in [0, 1]; None if it was not validated.
        pixel_accuracy: Share of pixels whose label was right, in [0, 1]; None likewise.
        mean_class_accuracy: Mean recall of the classes, in [0, 1]; None likewise.
        val_loss: Mean cross-entropy of the validation split's pixels, in nats; None likewise.
        val_criterion: Mean over its images of the run's own main criterion; None likewise.
    """

    epoch: int
    step: int
    loss: float
    miou: float | None = None
    pixel_accuracy: float | None = None
    mean_class_accuracy: float | None = None
    val_loss: float | None = None
    val_criterion: float | None = None


@dataclass(frozen=True, repr=False)
class TrainingResult:
    """What ``train`` returns.

    Attributes:
        folder: The run folder.
        best: The epoch with the highest mIoU on the validation split; None where none was
            validated.
        last: The last epoch; None where no epoch was trained.
        best_weights: Checkpoint file of the best epoch; None where there is none.
        last_weights: Checkpoint file of the last epoch; None where there is none.
    """

    folder: Path
    best: EpochFigures | None
    last: EpochFigures | None
    best_weights: Path | None
    last_weights: Path | None

    def __repr__(self) -> str:
        parts = [repr(str(self.folder))]
        if self.last is not None:
            parts.append(f"epoch {self.last.epoch}: loss {self.last.loss:.4f}")
        if self.best is not None:
            parts.append(f"best mIoU {self.best.miou or 0.0:.4f} in epoch {self.best.epoch}")
        return f"TrainingResult({', '.join(parts)})"


def read_result(folder: RunFolder) -> TrainingResult:
    """The result of a run, from its files; empty if they were written on another machine only."""
    rows = read_table(folder.epochs, EPOCH_FIELDS) if folder.epochs.is_file() else []
    figures = [_read_figures(row) for row in rows]
    validated = [found for found in figures if found.miou is not None]
    return TrainingResult(
        folder=folder.path,
        best=max(validated, key=lambda found: found.miou or 0.0, default=None),
        last=figures[-1] if figures else None,
        best_weights=folder.best if folder.best.is_file() else None,
        last_weights=folder.last if folder.last.is_file() else None,
    )


def _read_figures(row: Row) -> EpochFigures:
    def read(name: str) -> float | None:
        return float(row[name]) if row.get(name) else None

    loss = read("loss")
    return EpochFigures(
        epoch=int(row["epoch"]),
        step=int(row["step"]),
        loss=float("nan") if loss is None else loss,
        miou=read("miou"),
        pixel_accuracy=read("pixel_accuracy"),
        mean_class_accuracy=read("mean_class_accuracy"),
        val_loss=read("val_loss"),
        val_criterion=read("val_criterion"),
    )
