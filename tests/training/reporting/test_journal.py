from __future__ import annotations

import csv
import sys
import time
from pathlib import Path

import pytest

from hierseg.errors import MissingExtraError, UserError
from hierseg.training.folder import RunFolder
from hierseg.training.reporting.journal import CsvTable, Journal
from hierseg.training.reporting.observer import EpochReport, StepReport
from hierseg.training.reporting.pace import Pace
from hierseg.training.state import Progress


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _report(step: int) -> StepReport:
    losses = {"loss": 1.5, "main": 1.25, "auxiliary": 0.625}
    return StepReport(1, 2, step, 10, step, 5, losses, 0.01, 3.5, 70.0)


def test_rows_after_the_saved_state_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    table = CsvTable(path, ("step", "loss"))
    for step in range(1, 6):
        table.append({"step": step, "loss": step / 3})
    CsvTable(path, ("step", "loss"), until=3).append({"step": 4})
    assert _rows(path) == [
        {"step": "1", "loss": "0.333333"},
        {"step": "2", "loss": "0.666667"},
        {"step": "3", "loss": "1"},
        {"step": "4", "loss": ""},
    ]
    CsvTable(path, ("step", "loss"))
    assert _rows(path) == []


def test_half_a_row_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    table = CsvTable(path, ("step", "loss"))
    for step in (1, 12):
        table.append({"step": step, "loss": 0.5})
    path.write_bytes(path.read_bytes()[:-7])  # killed in the write: "12,0.5" became "1"
    CsvTable(path, ("step", "loss"), until=1)
    assert _rows(path) == [{"step": "1", "loss": "0.5"}]


def test_a_table_that_cannot_grow_is_one_sentence(tmp_path: Path) -> None:
    table = CsvTable(tmp_path / "steps.csv", ("step", "loss"))
    table.path.unlink()
    table.path.mkdir()
    with pytest.raises(UserError, match=r"steps\.csv cannot be written .*--runtime\.resume"):
        table.append({"step": 1})


def test_the_journal_has_steps_and_epochs(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with Journal(folder, Progress()) as journal:
        journal.on_step(_report(1))
        journal.on_epoch(EpochReport(1, 2, 1, 1.5, 2.0, rmi_fallbacks=3))
    (step,), (epoch,) = _rows(folder.steps), _rows(folder.epochs)
    assert (step["loss"], step["per_scale"], step["images_per_second"]) == ("1.5", "", "3.5")
    assert (epoch["epoch"], epoch["seconds"], epoch["miou"]) == ("1", "2", "")
    assert epoch["rmi_fallbacks"] == "3"


def test_tensorboard_reads_the_losses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = RunFolder(tmp_path)
    with Journal(folder, Progress()) as journal:
        journal.on_step(_report(1))
        journal.on_step(_report(2))
    # TensorBoard reads files by their names, which hold seconds and then a number without zeros.
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 5)
    with Journal(folder, Progress(step=1)) as journal:  # resumed from step 1: step 2 is done again
        journal.on_step(_report(2))
    events = EventAccumulator(str(folder.tensorboard)).Reload()
    assert [(e.step, e.value) for e in events.Scalars("train/main")] == [(1, 1.25), (2, 1.25)]


def test_tensorboard_has_no_step_twice_when_a_run_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder, now = RunFolder(tmp_path), time.time()
    for seconds in (0, 5):  # killed before its first checkpoint; names of files as above
        monkeypatch.setattr(time, "time", lambda later=now + seconds: later)
        with Journal(folder, Progress()) as journal:
            journal.on_step(_report(1))
    events = EventAccumulator(str(folder.tensorboard)).Reload()
    assert [event.step for event in events.Scalars("train/main")] == [1]


def test_without_tensorboard_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError, match=r"hierseg\[train\]"):
        Journal(RunFolder(tmp_path), Progress())


def test_pace_counts_steps_alone() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    assert pace.seconds_per_step == 0.0
    for seconds in (1.0, 3.0):
        now[0] += seconds
        pace.step()
    now[0] += 100.0  # validation
    pace.start()
    now[0] += 2.0
    pace.step()
    assert pace.seconds_per_step == pytest.approx(2.0)
