from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hierseg.config import Experiment
from hierseg.errors import MissingExtraError, UserError
from hierseg.training import StepReport, TrackingObserver, make_trackers, train
from hierseg.training.reporting.observer import RunReport


class Memory:
    """A tracker that remembers, and can be made to fail."""

    name = "memory"

    def __init__(self) -> None:
        self.opened: list[tuple[str, str, str | None]] = []
        self.settings: Mapping[str, Any] = {}
        self.figures: dict[str, dict[int, float]] = {}
        self.closed: list[bool] = []
        self.fails = ""

    def open(
        self, project: str, run: str, folder: Path, settings: Mapping[str, Any], known: str | None
    ) -> str:
        if self.fails == "open":
            raise ConnectionError("nobody\nis there")
        self.opened.append((project, run, known))
        self.settings = settings
        return known or "id-7"

    def log(self, figures: Mapping[str, float], step: int) -> None:
        if self.fails == "log":
            raise OSError("the server is gone")
        for name, value in figures.items():
            self.figures.setdefault(name, {})[step] = value

    def close(self, succeeded: bool) -> None:
        self.closed.append(succeeded)


def report_run(folder: Path) -> RunReport:
    return RunReport(folder, "recipe", "model", "cpu", 6, 2, 2, 3)


def report_step(step: int, loss: float, is_logged: bool = True) -> StepReport:
    losses = {"loss": loss}
    return StepReport(1, 2, step, 6, step, 3, losses, 0.1, 5.0, 1.0, is_logged=is_logged)


def test_a_tracker_is_told_of_steps_epochs_and_the_end(tiny: Experiment, tmp_path: Path) -> None:
    memory = Memory()
    result = train(tiny, [TrackingObserver(memory, {"optim.lr": 5e-3})])
    assert memory.opened == [("custom", tmp_path.name, None)]
    assert memory.settings == {"optim.lr": 5e-3}
    assert list(memory.figures["train/loss"]) == [1, 2, 3, 4, 5, 6]
    assert result.best is not None
    assert max(memory.figures["val/miou"].values()) == pytest.approx(result.best.miou, abs=1e-6)
    assert set(memory.figures["val_iou/red"]) == {3, 6}
    assert memory.figures["epoch"] == {3: 1.0, 6: 2.0}
    assert memory.closed == [True]
    assert json.loads((result.folder / "tracking.json").read_text()) == {"memory": "id-7"}


def test_a_run_that_goes_on_is_the_same_one_for_its_tracker(tmp_path: Path) -> None:
    for known in (None, "id-7"):
        memory = Memory()
        TrackingObserver(memory, {}).on_begin(report_run(tmp_path))
        assert memory.opened == [("recipe", tmp_path.name, known)]


def test_a_tracker_that_fails_at_the_start_is_a_sentence(tmp_path: Path) -> None:
    memory = Memory()
    memory.fails = "open"
    with pytest.raises(UserError, match=r"--tracking memory fails: nobody; see to it, or"):
        TrackingObserver(memory, {}).on_begin(report_run(tmp_path))


def test_a_tracker_that_fails_later_is_left_out_and_the_run_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = Memory()
    observer = TrackingObserver(memory, {})
    observer.on_begin(report_run(tmp_path))
    observer.on_step(report_step(1, 0.5))
    memory.fails = "log"
    observer.on_step(report_step(2, 0.4))
    memory.fails = ""
    observer.on_step(report_step(3, 0.3))
    observer.on_end(None)
    assert memory.figures["train/loss"] == {1: 0.5}
    assert memory.closed == []
    assert capsys.readouterr().out.count("the run goes on without it") == 1


def test_what_is_no_number_and_what_is_not_logged_is_not_told(tmp_path: Path) -> None:
    memory = Memory()
    observer = TrackingObserver(memory, {})
    observer.on_begin(report_run(tmp_path))
    observer.on_step(report_step(1, float("nan")))
    observer.on_step(report_step(2, 0.4, is_logged=False))
    assert "train/loss" not in memory.figures
    assert memory.figures["train/lr"] == {1: 0.1}


@pytest.mark.parametrize(
    ("name", "module", "cure"),
    [
        ("mlflow", "mlflow", r"hierseg\[mlflow\]"),
        ("mlflow", "sqlalchemy", r"hierseg\[mlflow\]"),
        ("wandb", "wandb", r"hierseg\[wandb\]"),
        ("trackio", "trackio", "pip install trackio"),
    ],
)
def test_a_package_that_is_missing_is_one_sentence(
    name: str, module: str, cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda asked, *rest: None if asked == module else real(asked)
    )
    with pytest.raises(UserError, match=cure) as failure:
        make_trackers([name], Experiment())
    assert isinstance(failure.value, MissingExtraError) == (name != "trackio")


def test_trackio_is_told_as_wandb_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []

    class Run:
        def log(self, figures: dict[str, float], step: int) -> None:
            said.append((figures, step))

        def finish(self) -> None:
            said.append("finished")

    def init(**given: Any) -> Run:
        said.append({name: given[name] for name in ("project", "name", "resume")})
        return Run()

    module = ModuleType("trackio")
    module.init = init  # type: ignore[attr-defined]
    module.__spec__ = importlib.util.spec_from_loader("trackio", None)
    monkeypatch.setitem(sys.modules, "trackio", module)
    [observer] = make_trackers(["trackio"], Experiment())
    observer.on_begin(report_run(tmp_path))
    observer.on_step(report_step(1, 0.5))
    observer.on_end(None)
    figures = {"train/loss": 0.5, "train/lr": 0.1, "train/images_per_second": 5.0}
    begun = {"project": "recipe", "name": tmp_path.name, "resume": "allow"}
    assert said == [begun, (figures, 1), "finished"]


TWICE = """
import sys
from pathlib import Path
from hierseg.config import Experiment
from hierseg.training import StepReport, make_trackers
from hierseg.training.reporting.observer import RunReport

folder = Path("run7")
folder.mkdir(exist_ok=True)
[observer] = make_trackers([sys.argv[1]], Experiment())
observer.on_begin(RunReport(folder, "recipe", "model", "cpu", 6, 2, 2, 3))
for step in map(int, sys.argv[2:]):
    observer.on_step(StepReport(1, 2, step, 6, step, 3, {"loss": 1 / step}, 0.1, 5.0, 1.0))
observer.on_end(None)
"""


def track_twice(name: str, folder: Path) -> None:
    """A run and its continuation, each in a process without network."""
    for steps in (("1", "2"), ("3",)):
        environment = {**os.environ, "http_proxy": "http://127.0.0.1:1"}
        environment["https_proxy"] = environment["http_proxy"]
        environment.pop("MLFLOW_TRACKING_URI", None)
        subprocess.run(
            [sys.executable, "-c", TWICE, name, *steps],
            cwd=folder, env=environment, check=True, timeout=200,
        )  # fmt: skip


@pytest.mark.slow
def test_mlflow_keeps_a_run_and_its_continuation_as_one(tmp_path: Path) -> None:
    track_twice("mlflow", tmp_path)
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("recipe")
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "run7"
    assert run.info.status == "FINISHED"
    assert run.data.params["optim.lr"] == "0.005"
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert [(point.step, point.value) for point in history] == [(1, 1), (2, 0.5), (3, 1 / 3)]


@pytest.mark.slow
def test_wandb_keeps_its_runs_in_the_run_folder_without_an_account(tmp_path: Path) -> None:
    track_twice("wandb", tmp_path)
    parts = sorted((tmp_path / "run7" / "wandb").glob("offline-run-*"))
    assert len(parts) == 2
    assert len({path.name.rsplit("-", 1)[1] for path in parts}) == 1  # one identity
    assert all(any(path.glob("*.wandb")) for path in parts)
