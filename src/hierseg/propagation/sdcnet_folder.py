"""The run folder of an SDC-Net training: its files, and when it may be used."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hierseg.errors import UserError
from hierseg.files import LOCK, read_text_file, write_json
from hierseg.propagation.flow_evaluation import FlowFigures
from hierseg.propagation.sdcnet_settings import SdcNetExperiment
from hierseg.settings import list_differences, name_flag
from hierseg.training import Checkpoints, CsvTable
from hierseg.version import __version__

FREE_SETTINGS = frozenset(
    {
        "data.root", "data.val_root", "data.val_count", "data.workers", "optim.steps", "optim.lr",
        "runtime.out", "runtime.resume", "runtime.device", "runtime.log_every",
        "runtime.save_every", "runtime.validate_every", "runtime.keep", "model.weights",
    }
)  # fmt: skip
"""Settings that may differ between a run and its continuation."""


class SdcNetFolder:
    """Paths in a run folder.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last = path / "last.safetensors"
        self.best = path / "best.safetensors"
        self.record = path / "run.json"
        self.steps = path / "steps.csv"
        self.validation = path / "validation.csv"
        self.states = path / "states"
        self._began_at = 0
        self._tables: dict[Path, CsvTable] = {}

    def check(self, experiment: SdcNetExperiment) -> None:
        """UserError if the experiment may not use the folder."""
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path} is a file; give a folder with --runtime.out DIR.")
        if experiment.runtime.resume:
            self._check_same(experiment)
        elif self.path.is_dir() and any(path.name != LOCK for path in self.path.iterdir()):
            raise UserError(
                f"the run folder {self.path} is not empty; continue its run with "
                "--runtime.resume or name another with --runtime.out DIR."
            )

    def _check_same(self, experiment: SdcNetExperiment) -> None:
        differences = list_differences(self._read_record()["settings"], experiment.to_dict())
        other = [
            f"{name_flag(key)} was {was!s:.80}, is now {now!s:.80}"
            for key, (was, now) in differences.items()
            if key not in FREE_SETTINGS
        ]
        if other:
            raise UserError(
                f"the run in {self.path} began with other settings ({', '.join(other)}); give the "
                "same ones or another --runtime.out."
            )

    def _read_record(self) -> dict[str, Any]:
        if not self.record.is_file():
            raise UserError(
                f"there is no run to resume in {self.path} (no run.json); leave out "
                "--runtime.resume to start one."
            )
        try:
            record = json.loads(read_text_file(self.record, "record of the run"))
        except (ValueError, RecursionError) as error:
            raise self._damage() from error
        if not isinstance(record, dict) or not isinstance(record.get("settings"), dict):
            raise self._damage()
        return record

    def _damage(self) -> UserError:
        return UserError(f"{self.record} is damaged; start anew with another --runtime.out.")

    def not_of_this_run(self) -> UserError:
        """The error for a state that does not fit the network."""
        return UserError(
            f"the checkpoint in {self.states} is of another network; start anew with another "
            "--runtime.out."
        )

    def begin(self, experiment: SdcNetExperiment, step: int) -> None:
        """Write ``run.json`` if the run is new. A resumed run drops the rows after its checkpoint,
        at ``step``, before it adds its first row.
        """
        if not experiment.runtime.resume:
            record = {
                "recipe": "sdcnet",
                "command": sys.argv,
                "settings": experiment.to_dict(),
                "version": __version__,
                "started": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            write_json(self.record, record)
        self._began_at = step

    def note_step(self, step: int, parts: Mapping[str, float]) -> None:
        """Add a row to ``steps.csv``; UserError if it cannot be written."""
        self._note(self.steps, step, parts)

    def note_validation(self, step: int, figures: Sequence[FlowFigures]) -> None:
        """Add a row to ``validation.csv``; UserError if it cannot be written."""
        row: dict[str, float] = {}
        for one in figures:
            scores = {"psnr": one.scores.psnr, "ssim": one.scores.ssim, "error": one.scores.error}
            row |= {f"{one.name}_{key}": float(value) for key, value in scores.items()}
        self._note(self.validation, step, row)

    def _note(self, path: Path, step: int, row: Mapping[str, float]) -> None:
        if path not in self._tables:
            self._tables[path] = CsvTable(path, ["step", *row], self._began_at)
        self._tables[path].append({"step": step, **row})

    def write_state(self, content: Mapping[str, Any], step: int, keep: int) -> None:
        """Write a checkpoint of the run's state; RunEnded if it cannot be written."""
        Checkpoints(self.states, keep).write(content, step, 0)

    def read_state(self, keep: int, say: Callable[[str], None]) -> dict[str, Any] | None:
        """The newest undamaged state; None if there is none yet."""
        found = Checkpoints(self.states, keep, say=say).read()
        return None if found is None else found[1]
