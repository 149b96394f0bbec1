"""Experiment trackers beside TensorBoard and the csv tables: a small interface and three trackers.

If a tracker fails during a run, a line says so, and the run goes on without it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from hierseg.config import Experiment
from hierseg.errors import MissingExtraError, UserError, shorten
from hierseg.files import read_text_file
from hierseg.settings import list_settings
from hierseg.training.folder import write_run_json
from hierseg.training.reporting.observer import EpochReport, Observer, RunReport, StepReport

IDENTITIES = "tracking.json"
"""File in the run folder with each tracker's id of the run, so that a resumed run is the same."""


class Tracker(Protocol):
    """The interface of a tracker."""

    name: str

    def open(
        self, project: str, run: str, folder: Path, settings: Mapping[str, Any], known: str | None
    ) -> str:
        """Begin a run, or continue a known one; returns its id.

        Args:
            project: The tracker's project: the recipe.
            run: Name of the run.
            folder: The run folder.
            settings: All settings by their full names.
            known: The id that ``open`` returned when the run began; None for a new run.
        """

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Note figures of a step."""

    def close(self, succeeded: bool) -> None:
        """The run is over."""


class MlflowTracker:
    """MLflow, in the store of ``MLFLOW_TRACKING_URI``; by default ``mlflow.db`` in the current
    folder.
    """

    name = "mlflow"

    def __init__(self) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        _require("mlflow", "--tracking mlflow")
        _require("sqlalchemy", "--tracking mlflow", "mlflow")
        self._client: Any = None
        self._run = ""

    def open(
        self, project: str, run: str, folder: Path, settings: Mapping[str, Any], known: str | None
    ) -> str:
        """Begin or go on with a run."""
        from mlflow.entities import Param
        from mlflow.tracking import MlflowClient

        place = f"sqlite:///{Path.cwd() / 'mlflow.db'}"
        self._client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or place)
        if known is not None:
            self._run = known
            self._client.update_run(known, status="RUNNING")
            return known
        found = self._client.get_experiment_by_name(project)
        experiment = self._client.create_experiment(project) if found is None else None
        identity = experiment if found is None else found.experiment_id
        begun = self._client.create_run(
            identity, run_name=run, tags={"hierseg.folder": str(folder.absolute())}
        )
        self._run = begun.info.run_id
        params = [Param(name, str(value)[:500]) for name, value in settings.items()]
        for start in range(0, len(params), 100):  # as many as it takes at once
            self._client.log_batch(self._run, params=params[start : start + 100])
        return self._run

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Note figures of a step."""
        import time

        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, value in figures.items()]
        self._client.log_batch(self._run, metrics=metrics)

    def close(self, succeeded: bool) -> None:
        """The run is over."""
        self._client.set_terminated(self._run, "FINISHED" if succeeded else "FAILED")


class WandbTracker:
    """Weights & Biases, offline in the run folder unless ``WANDB_MODE`` says otherwise; ``wandb
    sync`` uploads it to a server.
    """

    name = "wandb"

    def __init__(self) -> None:
        os.environ.setdefault("WANDB_MODE", "offline")
        os.environ.setdefault("WANDB_SILENT", "true")
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        _require("wandb", "--tracking wandb")
        self._run: Any = None

    def open(
        self, project: str, run: str, folder: Path, settings: Mapping[str, Any], known: str | None
    ) -> str:
        """Begin or go on with a run."""
        wandb = importlib.import_module("wandb")
        identity = known or hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:16]
        self._run = wandb.init(
            project=project, name=run, id=identity, resume="allow", dir=str(folder),
            config=dict(settings),
        )  # fmt: skip
        return identity

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Note figures of a step."""
        self._run.log(dict(figures), step=step)

    def close(self, succeeded: bool) -> None:
        """The run is over."""
        self._run.finish(exit_code=0 if succeeded else 1)


class TrackioTracker:
    """Trackio, which has wandb's interface, in its own store on this machine."""

    name = "trackio"

    def __init__(self) -> None:
        if importlib.util.find_spec("trackio") is None:
            raise UserError("--tracking trackio needs its package: pip install trackio.")
        self._run: Any = None

    def open(
        self, project: str, run: str, folder: Path, settings: Mapping[str, Any], known: str | None
    ) -> str:
        """Begin or go on with a run."""
        trackio = importlib.import_module("trackio")
        name = known or run
        self._run = trackio.init(project=project, name=name, config=dict(settings), resume="allow")
        return name

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Note figures of a step."""
        self._run.log(dict(figures), step=step)

    def close(self, succeeded: bool) -> None:
        """The run is over."""
        self._run.finish()


TRACKERS: Mapping[str, Callable[[], Tracker]] = {
    "mlflow": MlflowTracker,
    "wandb": WandbTracker,
    "trackio": TrackioTracker,
}


def make_trackers(names: Sequence[str], experiment: Experiment) -> list[Observer]:
    """Observers for ``train`` that report to trackers.

    Args:
        names: Some of ``mlflow``, ``wandb`` and ``trackio``.
        experiment: The experiment.

    Raises:
        UserError: A tracker's package is not installed.
    """
    settings = list_settings(experiment.to_dict())
    return [TrackingObserver(TRACKERS[name](), settings) for name in dict.fromkeys(names)]


class TrackingObserver(Observer):
    """Tells one tracker of a run.

    Args:
        tracker: The tracker.
        settings: Of the run, by their full names.
    """

    def __init__(self, tracker: Tracker, settings: Mapping[str, Any]) -> None:
        self.tracker = tracker
        self._settings = settings
        self._is_open = False
        self._say: Callable[[str], object] = lambda line: print(line, flush=True)

    def on_begin(self, report: RunReport) -> None:
        """Begin the tracker's run; UserError if it cannot be reached, before the first step."""
        path = report.folder / IDENTITIES
        known = _read_identities(path)
        folder = report.folder.resolve()
        name = folder.parent.name if folder.name == "run" else folder.name
        try:
            identity = self.tracker.open(
                report.recipe, name, report.folder, self._settings, known.get(self.tracker.name)
            )
        except Exception as error:  # each has its own
            raise UserError(
                f"--tracking {self.tracker.name} fails: {shorten(_first_line(error), 200)}; see to "
                "it, or leave it out."
            ) from error
        write_run_json(path, {**known, self.tracker.name: identity})
        self._is_open = True

    def on_step(self, report: StepReport) -> None:
        """Losses, rate and pace of a step that the journal has too."""
        if report.is_logged:
            figures = {f"train/{name}": value for name, value in report.losses.items()}
            more = {"train/lr": report.lr, "train/images_per_second": report.images_per_second}
            self._log({**figures, **more}, report.step)

    def on_epoch(self, report: EpochReport) -> None:
        """Mean loss, time and validation of an epoch."""
        figures = {
            "epoch": float(report.epoch),
            "epoch/loss": report.loss,
            "epoch/seconds": report.seconds,
        }
        if report.evaluation is not None:
            scores = report.evaluation.scores
            figures |= {
                "val/miou": scores.miou,
                "val/pixel_accuracy": scores.pixel_accuracy,
                "val/mean_class_accuracy": scores.mean_class_accuracy,
                **{f"val_iou/{name}": iou for name, iou in scores.iou.items()},
            }
        self._log(figures, report.step)

    def on_end(self, error: BaseException | None) -> None:
        """End the tracker's run."""
        if self._is_open:
            self._try(lambda: self.tracker.close(error is None))

    def _log(self, figures: Mapping[str, float], step: int) -> None:
        finite = {name: float(value) for name, value in figures.items() if math.isfinite(value)}
        if self._is_open:
            self._try(lambda: self.tracker.log(finite, step))

    def _try(self, action: Callable[[], None]) -> None:
        """Tell the tracker; what fails there does not end the run."""
        try:
            action()
        except Exception as error:  # a server that is gone, a full disk, whatever it raises
            self._is_open = False
            self._say(
                f"--tracking {self.tracker.name} fails ({shorten(_first_line(error), 200)}); the "
                "run goes on without it."
            )


def _require(module: str, feature: str, extra: str | None = None) -> None:
    if importlib.util.find_spec(module) is None:
        raise MissingExtraError(feature, extra or module)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _read_identities(path: Path) -> dict[str, str]:
    try:
        content = json.loads(read_text_file(path))
    except (UserError, ValueError, RecursionError):
        return {}
    pairs = content.items() if isinstance(content, dict) else ()
    return {name: value for name, value in pairs if isinstance(value, str)}
