from __future__ import annotations

import csv
import io
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from hierseg.errors import UsageError, UserError
from hierseg.files import FolderLock
from hierseg.recipes import get_recipe
from hierseg.sweeps import Comparison, RunPlace, read_runs
from hierseg.sweeps.resolving import apply_settings
from sweeps.fakes import fake

COLUMNS = ("epoch", "loss", "seconds", "miou")


def write_run(folder: Path, rows: list[tuple[float | str, ...]], **settings: Any) -> Path:
    """A run folder as training leaves it."""
    folder.mkdir(parents=True)
    names = {name.replace("__", "."): value for name, value in settings.items()}
    experiment = apply_settings(get_recipe("streets-lite0"), {"optim.epochs": 3, **names})
    record = {"config": experiment.to_dict(), "machine": "node7"}
    (folder / "run.json").write_text(json.dumps(record))
    lines = [",".join(COLUMNS), *(",".join(map(str, row)) for row in rows)]
    (folder / "epochs.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three runs by hand."""
    root = tmp_path / "runs"
    write_run(root / "a", [(1, 2.0, 10, 0.1), (2, 1.0, 30, 0.5), (3, 0.9, 11, 0.4)])
    write_run(root / "deep" / "b", [(1, 3.0, 70, 0.2), (2, 0.5, 70, "")], optim__lr=0.01)
    write_run(root / "c", [], optim__lr=0.01, data__crop="32x64", runtime__device="cpu")
    return root


def test_runs_are_found_wherever_they_lie_and_read(runs: Path) -> None:
    a, c, b = read_runs(runs)
    assert [one.name for one in (a, b, c)] == ["a", "deep/b", "c"]
    assert (a.status, b.status, c.status) == ("done", "stopped", "stopped")
    assert (a.epochs, b.epochs, c.epochs, a.epochs_planned) == (3, 2, 0, 3)
    assert (a.best("miou"), a.best_epoch("miou"), a.last("miou")) == (0.5, 2, 0.4)
    assert (a.best("loss"), b.last("miou"), c.best("miou")) == (0.9, 0.2, None)
    assert (a.epoch_seconds, c.epoch_seconds, a.machine) == (11, None, "node7")


def test_a_folder_of_one_run_is_one_run(runs: Path) -> None:
    [record] = read_runs(runs / "a")
    assert record.name == "a"


def test_a_run_that_is_under_way_is_running(runs: Path) -> None:
    with FolderLock(runs / "deep" / "b"):
        assert {one.name: one.status for one in read_runs(runs)}["deep/b"] == "running"
    lock = {"process": 2**22 + 1, "host": socket.gethostname(), "since": ""}
    (runs / "deep" / "b" / ".hierseg.lock").write_text(json.dumps(lock))
    assert {one.name: one.status for one in read_runs(runs)}["deep/b"] == "stopped"
    lock["process"] = os.getpid()
    (runs / "deep" / "b" / ".hierseg.lock").write_text(json.dumps(lock))
    assert {one.name: one.status for one in read_runs(runs)}["deep/b"] == "running"


def test_only_settings_that_differ_are_shown_and_none_that_change_no_figure(runs: Path) -> None:
    comparison = Comparison(read_runs(runs))
    assert comparison.differing == ["data.crop", "optim.lr"]
    heading, rows = comparison.list_cells()
    assert heading[-2:] == ["crop", "lr"]
    assert rows[0] == [
        "a", "done", "3/3", "0.5000 (2)", "0.4000", "0.9000 (3)", "0.9000", "11.0 s", "node7",
        "256x512", "0.002",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("miou", ["a", "deep/b", "c"]),
        ("loss", ["deep/b", "a", "c"]),
        ("name", ["a", "c", "deep/b"]),
        ("epoch_seconds", ["a", "deep/b", "c"]),
        ("lr", ["a", "c", "deep/b"]),
        ("data.crop", ["a", "deep/b", "c"]),
    ],
)
def test_runs_are_sorted_the_best_first(runs: Path, sort: str, order: list[str]) -> None:
    assert [one.name for one in Comparison(read_runs(runs), sort).records] == order


def test_what_they_cannot_be_sorted_by(runs: Path) -> None:
    with pytest.raises(UsageError, match="the nearest is 'miou'"):
        Comparison(read_runs(runs), "miuo")


def test_csv_and_json_hold_all_figures(runs: Path) -> None:
    comparison = Comparison(read_runs(runs))
    first, second, third = csv.DictReader(io.StringIO(comparison.to_csv()))
    assert first["best_miou"] == "0.5"
    assert first["best_miou_epoch"] == "2"
    assert second["last_loss"] == "0.5"
    assert third["best_miou"] == ""
    assert third["data.crop"] == "32x64"
    content = json.loads(json.dumps(comparison.to_json()))
    assert content["differing"] == ["data.crop", "optim.lr"]
    assert content["runs"][0]["curves"]["miou"] == [[1, 0.1], [2, 0.5], [3, 0.4]]


def test_runs_of_a_sweep_have_its_status_and_its_figures(tmp_path: Path) -> None:
    place = RunPlace(tmp_path / "x")
    place.write_plan(fake("x", lr=0.1))
    place.status.write_text(
        json.dumps({"state": "failed", "attempts": [{"host": "far", "reason": "no space"}]})
    )
    other = RunPlace(tmp_path / "y")
    other.write_plan(fake("y", lr=0.2))
    (other.path / "result.json").write_text(json.dumps({"miou": 0.75, "images": 3, "flip": True}))
    x, y = read_runs(tmp_path)
    assert (x.status, x.machine, x.reason) == ("failed", "far", "no space")
    assert (y.status, y.figures) == ("waiting", {"miou": 0.75})
    assert Comparison([x, y]).differing == ["lr"]


def test_damaged_files_are_as_if_there_were_none(runs: Path) -> None:
    (runs / "a" / "run.json").write_text("[1")
    (runs / "a" / "epochs.csv").write_bytes(b"epoch,miou\n\xff,\x00\n2,0.5,7\nx\n")
    record = read_runs(runs)[0]
    assert (record.name, record.settings, record.best("miou")) == ("a", {}, 0.5)


def test_no_runs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no run in"):
        read_runs(tmp_path)
    with pytest.raises(UserError, match="there is no folder"):
        read_runs(tmp_path / "none")
