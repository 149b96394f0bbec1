"""Records of the runs in a folder, read from their files, whoever started them."""

from __future__ import annotations

import csv
import json
import math
import os
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hierseg.errors import UserError
from hierseg.files import read_text_file
from hierseg.settings import list_settings
from hierseg.sweeps.folder import RunPlace, is_held
from hierseg.sweeps.plan import RESULT

Curves = Mapping[str, list[tuple[int, float]]]
"""Column of ``epochs.csv`` -> (epoch, value) of each epoch that has a value."""

MOST_RUNS = 10_000
DEEPEST = 8
"""Depth of folders that are searched."""
SMALLER_IS_BETTER = ("loss", "seconds", "rmi_fallbacks", "skipped")
_NO_FIGURES = ("epoch", "step")


@dataclass(frozen=True)
class RunRecord:
    """A run.

    Attributes:
        name: Its folder, relative to the searched one.
        status: done, stopped early, running, stopped, failed, lost or waiting.
        settings: All its settings by their full names, ``recipe`` included.
        epochs: Epochs done.
        epochs_planned: Epochs in all; None if unknown.
        curves: Figures of each epoch and validation.
        figures: Further figures, such as those of an evaluation.
        epoch_seconds: Median seconds of an epoch; None before the first.
        machine: The machine that it last ran on; empty if unknown.
        reason: Its last message if it failed, or why it was ended early.
    """

    name: str
    status: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    epochs: int = 0
    epochs_planned: int | None = None
    curves: Curves = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    epoch_seconds: float | None = None
    machine: str = ""
    reason: str = ""

    def last(self, figure: str) -> float | None:
        """A figure's value in the last epoch that has it."""
        curve = self.curves.get(figure)
        return curve[-1][1] if curve else self.figures.get(figure)

    def best(self, figure: str) -> float | None:
        """A figure's best value."""
        found = self._find_best(figure)
        return self.figures.get(figure) if found is None else found[1]

    def best_epoch(self, figure: str) -> int | None:
        """The epoch of a figure's best value."""
        found = self._find_best(figure)
        return None if found is None else found[0]

    def _find_best(self, figure: str) -> tuple[int, float] | None:
        sign = -1 if is_smaller_better(figure) else 1
        return max(self.curves.get(figure, ()), key=lambda point: sign * point[1], default=None)


def is_smaller_better(figure: str) -> bool:
    """Whether smaller values of a figure are better."""
    return figure in SMALLER_IS_BETTER or "loss" in figure


def read_runs(folder: Path) -> list[RunRecord]:
    """All runs below a folder, or the run of the folder itself.

    Raises:
        UserError: There is no such folder, or no run in it.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder '{folder}'; name a folder of runs.")
    records = [_read(folder, path) for path in _find(folder)]
    if not records:
        raise UserError(
            f"there is no run in '{folder}': a run's folder has a run.json, or a planned.json of "
            "`hierseg sweep`."
        )
    return records


def _find(folder: Path) -> Iterator[Path]:
    """Folders of runs; a run's own subfolders are not searched."""
    found = 0
    for path, folders, files in os.walk(folder):
        here = Path(path)
        if "planned.json" in files or "run.json" in files:
            folders.clear()
            yield here
            found += 1
            if found >= MOST_RUNS:
                return
        elif len(here.relative_to(folder).parts) >= DEEPEST:
            folders.clear()
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def _read(folder: Path, path: Path) -> RunRecord:
    place = RunPlace(path)
    is_of_sweep = place.planned.is_file()
    run = place.run if is_of_sweep else path
    record = _read_json(run / "run.json")
    config = record.get("config")
    settings = list_settings(config) if isinstance(config, dict) else {}
    planned = place.read_plan() if is_of_sweep else {}
    varied = planned.get("varied")
    if isinstance(varied, dict):
        settings = {**varied, **settings}
    curves = read_curves(run)
    epochs = max((epoch for curve in curves.values() for epoch, _ in curve), default=0)
    total = settings.get("optim.epochs")
    attempts = place.read_status().get("attempts") or [{}] if is_of_sweep else [{}]
    seconds = [value for _, value in curves.get("seconds", ())]
    if is_of_sweep:
        status: str = place.find_state()
    else:
        status = _judge(run, epochs, total)
    return RunRecord(
        name=path.relative_to(folder).as_posix() if path != folder else path.resolve().name,
        status=status,
        settings=settings,
        epochs=epochs,
        epochs_planned=total if isinstance(total, int) else None,
        curves=curves,
        figures=_read_figures(path / RESULT),
        epoch_seconds=statistics.median(seconds) if seconds else None,
        machine=str(attempts[-1].get("host") or record.get("machine") or ""),
        reason=str(attempts[-1].get("reason") or "")
        if status in ("failed", "stopped early")
        else "",
    )


def _judge(run: Path, epochs: int, total: Any) -> str:
    """The state of a run that is not a sweep's."""
    if is_held(run):
        return "running"
    return "done" if isinstance(total, int) and epochs >= total else "stopped"


def read_curves(run: Path) -> dict[str, list[tuple[int, float]]]:
    """The columns of ``epochs.csv``; unreadable parts are left out."""
    try:
        with (run / "epochs.csv").open(newline="", encoding="utf-8", errors="replace") as file:
            rows = list(csv.DictReader(file))
    except (OSError, csv.Error):
        return {}
    curves: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        try:
            epoch = int(row["epoch"])
        except (KeyError, TypeError, ValueError):
            continue
        for name, text in row.items():
            if isinstance(name, str) and name not in _NO_FIGURES and isinstance(text, str) and text:
                try:
                    value = float(text)
                except ValueError:
                    continue
                if math.isfinite(value):
                    curves.setdefault(name, []).append((epoch, value))
    return curves


def _read_figures(path: Path) -> dict[str, float]:
    """The figures of an evaluation's result."""
    content = _read_json(path)
    return {
        name: float(value)
        for name, value in content.items()
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and name in ("miou", "pixel_accuracy", "mean_class_accuracy", "loss")
    }


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text_file(path))
    except (UserError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
