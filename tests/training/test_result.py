from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from hierseg.config import Experiment
from hierseg.errors import UsageError
from hierseg.training import EpochReport, Observer, RunReport, StepReport, train
from hierseg.training.folder import RunFolder
from hierseg.training.reporting.journal import EPOCH_FIELDS
from hierseg.training.result import EpochFigures, read_result

from .conftest import change


class Record(Observer):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.run: RunReport | None = None
        self.steps: list[StepReport] = []
        self.seen: list[tuple[int, int]] = []
        self.epochs: list[EpochReport] = []
        self.ends: list[BaseException | None] = []

    def on_begin(self, report: RunReport) -> None:
        self.run = report

    def on_step(self, report: StepReport) -> None:
        self.steps.append(report)

    def on_validation(self, done: int, images: int) -> None:
        self.seen.append((done, images))

    def on_epoch(self, report: EpochReport) -> None:
        self.epochs.append(report)

    def on_end(self, error: BaseException | None) -> None:
        self.ends.append(error)


def _write_epochs(folder: Path, *rows: dict[str, str]) -> RunFolder:
    with (folder / "epochs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, EPOCH_FIELDS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return RunFolder(folder)


def test_the_best_epoch_is_the_first_of_the_highest_miou(tmp_path: Path) -> None:
    rows = [
        {"epoch": str(epoch), "step": str(3 * epoch), "loss": loss, "seconds": "1", "miou": miou}
        for epoch, (loss, miou) in enumerate(
            [("0.9", "0.25"), ("0.7", "0.5"), ("0.6", "0.5"), ("nan", "")], 1
        )
    ]
    folder = _write_epochs(tmp_path, *rows)
    folder.last.touch()
    result = read_result(folder)
    assert result.best == EpochFigures(2, 6, 0.7, 0.5)
    assert result.last is not None
    assert (result.last.epoch, result.last.miou) == (4, None)
    assert (result.best_weights, result.last_weights) == (None, folder.last)
    assert repr(result) == (
        f"TrainingResult('{tmp_path}', epoch 4: loss nan, best mIoU 0.5000 in epoch 2)"
    )


def test_a_run_that_left_nothing_has_no_figures(tmp_path: Path) -> None:
    result = read_result(RunFolder(tmp_path))
    assert (result.best, result.last, result.best_weights, result.last_weights) == (None,) * 4
    assert repr(result) == f"TrainingResult('{tmp_path}')"


def test_train_tells_its_observers_and_returns_its_figures(
    tiny: Experiment, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = change(change(tiny, "optim", epochs=2), "runtime", log_every=2)
    record = Record()
    result = train(experiment, observers=[record])
    assert capsys.readouterr() == ("", "")  # who wants a display gives one
    assert record.run is not None
    assert (record.run.folder, record.run.images) == (result.folder, 6)
    assert (record.run.epochs, record.run.steps_per_epoch, record.run.step) == (2, 3, 0)
    assert [report.step for report in record.steps] == [2, 4, 6]
    assert record.seen[-1] == (2, 2)
    assert [report.epoch for report in record.epochs] == [1, 2]
    assert record.ends == [None]
    assert result.best is not None
    assert result.last is not None
    mious = [report.evaluation.scores.miou for report in record.epochs if report.evaluation]
    assert result.best.miou == pytest.approx(max(mious), abs=1e-6)
    assert result.last.loss == pytest.approx(record.epochs[-1].loss, rel=1e-5)
    assert result.last_weights == result.folder / "last.safetensors"
    assert result.best_weights == result.folder / "best.safetensors"


def test_what_is_no_experiment_or_no_observer_is_said_before_anything_is_read(
    tiny: Experiment,
) -> None:
    wrong: Any
    for wrong, observers, words in (
        ("streets-lite0", (), r"give hierseg\.get_recipe\('streets-lite0'\)"),
        (tiny, Record(), "observers are a list"),
        (tiny, [Record], "is not an observer"),
    ):
        with pytest.raises(UsageError, match=words):
            train(wrong, observers)  # type: ignore[arg-type]
    assert tiny.runtime.out is not None
    assert not tiny.runtime.out.exists()


def test_an_observer_that_fails_ends_the_run_which_goes_on_from_its_checkpoint(
    tiny: Experiment,
) -> None:
    class Stop(Record):
        def on_epoch(self, report: EpochReport) -> None:
            super().on_epoch(report)
            if report.epoch == 1:
                raise LookupError("enough")

    stop, rest = Stop(), Record()
    tiny = change(tiny, "optim", epochs=2)
    with pytest.raises(LookupError, match="enough"):
        train(tiny, observers=[stop])
    assert [type(error) for error in stop.ends] == [LookupError]
    train(change(tiny, "runtime", resume=True), observers=[rest])
    assert [report.epoch for report in rest.epochs] == [2]
