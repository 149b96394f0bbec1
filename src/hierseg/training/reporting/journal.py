"""The journal: csv tables of steps and epochs, and the same numbers for TensorBoard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from hierseg.errors import MissingExtraError
from hierseg.files import synchronise
from hierseg.training.folder import RunFolder
from hierseg.training.reporting.observer import EpochReport, Observer, StepReport
from hierseg.training.state import Progress
from hierseg.training.table import CsvTable

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOSS_NAMES = ("loss", "main", "auxiliary", "per_scale", "lovasz", "distill")
STEP_FIELDS = ("step", "epoch", "lr", *LOSS_NAMES, "images_per_second", "skipped")
EPOCH_FIELDS = (
    "epoch", "step", "loss", "seconds", "miou", "num_classes_averaged", "pixel_accuracy",
    "mean_class_accuracy", "rmi_fallbacks", "skipped", "val_loss", "val_criterion",
)  # fmt: skip


class Journal(Observer):
    """Writes ``steps.csv``, ``epochs.csv`` and TensorBoard's event files of a run.

    Args:
        folder: The run folder.
        progress: Where the run starts; rows and events of a resumed run after it are removed.
        is_validating: Whether all steps of the epoch are done.
        say: Called with a line about a damaged table.
    """

    def __init__(
        self,
        folder: RunFolder,
        progress: Progress,
        is_validating: bool = False,
        say: Callable[[str], object] = print,
    ) -> None:
        self.steps = CsvTable(folder.steps, STEP_FIELDS, progress.step, say)
        self.epochs = CsvTable(folder.epochs, EPOCH_FIELDS, progress.epoch, say)
        # TensorBoard forgets from this step on. At the end of an epoch that is not validated yet,
        # that is the step itself, at which its validation may have been noted already.
        purged = progress.step if is_validating else progress.step + 1
        self.board = _open_tensorboard(folder.tensorboard, purged)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.board.close()

    def on_step(self, report: StepReport) -> None:
        """Losses, rate and pace of a step."""
        self.steps.append(
            {
                "step": report.step,
                "epoch": report.epoch,
                "lr": report.lr,
                **report.losses,
                "images_per_second": report.images_per_second,
                "skipped": report.skipped,
            }
        )
        for name, value in report.losses.items():
            self.board.add_scalar(f"train/{name}", value, report.step)
        self.board.add_scalar("train/lr", report.lr, report.step)
        self.board.add_scalar("train/images_per_second", report.images_per_second, report.step)

    def on_epoch(self, report: EpochReport) -> None:
        """A row for the epoch; for TensorBoard also the pictures of its validation."""
        row: dict[str, float | int] = {
            "epoch": report.epoch,
            "step": report.step,
            "loss": report.loss,
            "seconds": report.seconds,
            "rmi_fallbacks": report.rmi_fallbacks,
            "skipped": report.skipped,
        }
        for name, picture in report.pictures.items():
            self.board.add_image(f"val_samples/{name}", picture, report.step, dataformats="HWC")
        if report.evaluation is not None:
            scores = report.evaluation.scores
            row |= {
                "miou": scores.miou,
                "num_classes_averaged": scores.num_classes_averaged,
                "pixel_accuracy": scores.pixel_accuracy,
                "mean_class_accuracy": scores.mean_class_accuracy,
            }
            for name in ("miou", "pixel_accuracy"):
                self.board.add_scalar(f"val/{name}", row[name], report.step)
            losses = {"loss": report.evaluation.loss, "criterion": report.evaluation.criterion}
            for name, value in losses.items():
                if value is not None:
                    row[f"val_{name}"] = value
                    self.board.add_scalar(f"val/{name}", value, report.step)
            for name, iou in scores.iou.items():
                self.board.add_scalar(f"val_iou/{name}", iou, report.step)
        self.epochs.append(row)

    def synchronise(self) -> None:
        """Write all rows to the disk, before a state that relies on them."""
        self.board.flush()
        for table in (self.steps, self.epochs):
            synchronise(table.path)


class NoJournal(Journal):
    """Writes nothing; for all processes but the first."""

    def __init__(self) -> None:
        """No file is opened."""

    def __exit__(self, *_: object) -> None: ...

    def on_step(self, report: StepReport) -> None:
        """Not written."""

    def on_epoch(self, report: EpochReport) -> None:
        """Not written."""

    def synchronise(self) -> None:
        """Nothing was written."""


def _open_tensorboard(path: Path, purged: int) -> SummaryWriter:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("training", "train") from error
    # A first run has nothing that could be forgotten.
    return SummaryWriter(str(path), purge_step=purged if path.is_dir() else None)
