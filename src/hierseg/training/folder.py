"""The run folder: its files, when it may be used, and ``run.json``, which records the start."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from hierseg.assembly import Datasets
from hierseg.config import Experiment
from hierseg.errors import UsageError, UserError
from hierseg.files import LOCK, FolderLock, read_text_file, saving
from hierseg.processes import child_environment, count_processes, find_program
from hierseg.recipes import RECIPES, get_recipe
from hierseg.settings import list_differences, list_settings, name_flag
from hierseg.training.inventory import (
    describe_entries,
    list_entries,
    name_sources,
    require_same_entries,
    write_entries,
)
from hierseg.version import __version__

# May differ between a run and its continuation: where things lie, how fast they are read, how often
# they are written, and how memory is saved.
FREE_SETTINGS = frozenset(
    {
        "runtime.out", "runtime.resume", "runtime.device", "runtime.log_every", "data.root",
        "data.auto_root", "data.propagated_root", "data.also_root", "data.workers", "data.verify",
        "runtime.save_steps", "runtime.save_minutes", "runtime.keep", "model.grad_checkpoint",
    }
)  # fmt: skip
# Values that older runs recorded for defaults that are None now, with the same meaning.
FORMER_DEFAULTS = {
    "data.boost_classes": [str(index) for index in (3, 4, 6, 7, 9, *range(11, 19))],
    "data.from_coarse": ["14", "15", "16"],
}
# What older runs did before there was a setting.
FORMER_RULES = {"data.coarse_rule": "coarse"}
_PACKAGES = ("torch", "torchvision", "timm", "numpy", "lightning-fabric")


class RunFolder:
    """Paths in a run folder.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last = path / "last.safetensors"
        self.best = path / "best.safetensors"
        self.states = path / "states"
        self.state = path / "last.state.pt"  # of runs before there were several states
        self.record = path / "run.json"
        self.epochs = path / "epochs.csv"
        self.steps = path / "steps.csv"
        self.tensorboard = path / "tensorboard"
        self.files = path / "data.csv"
        self.log = path / "run.log"
        self.validation = path / "validation"

    @classmethod
    @contextmanager
    def hold(cls, experiment: Experiment, is_writer: bool = True) -> Iterator[RunFolder]:
        """``open``, and hold the folder: no other run writes to it meanwhile.

        Args:
            experiment: Names the folder.
            is_writer: Of several processes the first holds it for all.

        Raises:
            UserError: As ``open``; another run holds it.
        """
        folder = cls._locate(experiment)
        # Nothing is made where there can be nothing to resume.
        is_there = folder.path.is_dir()
        is_held = is_writer and (is_there or not experiment.runtime.resume)
        with FolderLock(folder.path, "--runtime.out") if is_held else nullcontext():
            try:
                opened = cls.open(experiment)
                if is_held:
                    opened._tidy()
                yield opened
            finally:
                if is_held and not is_there:
                    folder._leave_no_trace()

    @classmethod
    def open(cls, experiment: Experiment) -> RunFolder:
        """The folder that an experiment names, after its checks; nothing is written.

        Raises:
            UserError: The folder is not empty and ``resume`` is off, or ``resume`` is on and the
                folder has no run, or one with other settings.
        """
        folder = cls._locate(experiment)
        if experiment.runtime.resume:
            folder._check_same_run(experiment)
        elif folder.path.exists() and not all(map(_is_trace, folder.path.iterdir())):
            raise UserError(
                f"the run folder {folder.path} is not empty; continue its run with "
                "--runtime.resume or name another with --runtime.out DIR."
            )
        return folder

    @classmethod
    def _locate(cls, experiment: Experiment) -> RunFolder:
        """The folder, if it can be written to at all."""
        out = experiment.runtime.out
        if out is None:
            raise UsageError("no folder for the run; name one with --runtime.out DIR.")
        if out.exists() and not out.is_dir():
            raise UserError(f"{out} is a file; give a folder with --runtime.out DIR.")
        place = next(p for p in (out, *out.absolute().parents) if p.exists())
        if place.is_dir() and not os.access(place, os.W_OK):
            raise UserError(
                f"the run folder {out} cannot be written: you may not write into {place}; "
                "name another with --runtime.out DIR."
            )
        return cls(out)

    def _leave_no_trace(self) -> None:
        """Remove the folder of a run that has written nothing to it."""
        if all(path.name == LOCK for path in self.path.iterdir()):
            (self.path / LOCK).unlink()
            self.path.rmdir()

    def _tidy(self) -> None:
        """Remove unfinished files of a killed run; only for the run that holds the folder."""
        for folder in (self.path, self.states):
            for path in folder.glob("*.part"):
                with suppress(OSError):
                    path.unlink()

    def require_same_data(self, data: Datasets) -> None:
        """UserError if a resumed run would continue with other images or classes: that would mix
        training with validation images, or the classifier's outputs.
        """
        record = self._read_record() if self.record.exists() else {}
        began, now = record.get("data"), describe_data(data)
        if not isinstance(began, dict):
            return
        differing = ", ".join(key for key, value in now.items() if began.get(key) != value)
        if differing or len(began.keys() - {"files"}) != len(now):
            raise UserError(
                f"the run in {self.path} began with other data ({differing or 'sources'} differ); "
                "give it those again, or another --runtime.out."
            )

    def require_same_files(
        self, data: Datasets, verify: bool, say: Callable[[str], object]
    ) -> None:
        """UserError if a file has changed since the run began, as far as the record shows."""
        began = self._read_record().get("data") if self.record.exists() else None
        files = began.get("files") if isinstance(began, dict) else None
        if isinstance(files, dict):
            require_same_entries(files, self.files, list_entries(data), verify, say)

    def begin(self, experiment: Experiment, data: Datasets) -> None:
        """Write ``run.json``, or add a resumption to it."""
        described = describe_data(data)
        description = {**_describe(experiment), "data": described}
        record: dict[str, Any] = {}
        if experiment.runtime.resume:
            record = self._read_record()
            kept = ("command", "arguments", "versions", "commit", "started")
            record.setdefault("resumed", []).append({key: description[key] for key in kept})
        else:
            self.path.mkdir(parents=True, exist_ok=True)
            record = {**description, "resumed": []}
        began = record.setdefault("data", described)
        if "files" not in began:  # by an older version, it is noted from here on
            entries = list_entries(data, experiment.data.verify)
            write_entries(self.files, entries)
            began["files"] = describe_entries(entries)
        write_run_json(self.record, record)

    def _read_record(self) -> dict[str, Any]:
        if not self.record.exists():
            raise UserError(
                f"there is no run to resume in {self.path} (no run.json); leave --runtime.resume "
                "out to start one."
            )
        try:
            record = json.loads(read_text_file(self.record, "record of the run"))
            json.dumps(record, indent=2)  # as it will be written again
        except (ValueError, RecursionError) as error:
            raise self._damage() from error
        if not isinstance(record, dict) or not isinstance(record.get("config"), dict):
            raise self._damage()
        kinds = (("resumed", list), ("data", dict), ("processes", int))
        if not all(isinstance(record.get(key, kind()), kind) for key, kind in kinds):
            raise self._damage()
        return record

    def _damage(self) -> UserError:
        return UserError(f"{self.record} is damaged; start anew with another --runtime.out.")

    def _check_same_run(self, experiment: Experiment) -> None:
        before, now = self._read_record().get("processes", 1), count_processes()
        if before != now:
            raise UserError(
                f"the run in {self.path} began with {before} processes and would go on with {now}; "
                "launch as many, or give another --runtime.out."
            )
        # A setting that came later had its default's effect when the run began.
        began = list_settings(Experiment().to_dict()) | FORMER_RULES
        began |= list_settings(self._read_record()["config"])
        asked = list_settings(experiment.to_dict())
        for settings in (began, asked):
            settings |= {key: None for key, old in FORMER_DEFAULTS.items() if settings[key] == old}
            if "auto" not in (settings["data.labels"], settings["data.extra"]):
                settings["data.coarse_rule"] = None
        differences = list_differences(began, asked)
        bound = {key: pair for key, pair in differences.items() if key not in FREE_SETTINGS}
        if bound:
            shown = ", ".join(
                f"{name_flag(key)} was {_shorten(old)}, is now {_shorten(new)}"
                for key, (old, new) in bound.items()
            )
            raise UserError(
                f"the run in {self.path} began with other settings ({shown}); "
                "give the same ones or another --runtime.out."
            )


def describe_data(data: Datasets) -> dict[str, Any]:
    """Classes, and how many images each source has and which."""
    described: dict[str, Any] = {"classes": list(data.train.label_space.names)}
    for name, source in name_sources(data).items():
        names = "\n".join(sample.name for sample in source.samples)
        digest = hashlib.sha256(names.encode(errors="surrogateescape")).hexdigest()
        described[name] = f"{len(source.samples)} images {digest[:16]}"
    return described


def _is_trace(path: Path) -> bool:
    """Whether a file is only a lock or an unfinished file of a killed run."""
    return path.name == LOCK or path.suffix == ".part"


def _shorten(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


def write_run_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON: the file appears whole or stays as it was."""
    with saving(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def find_commit() -> str | None:
    """The commit of the source tree, with ``+`` if files differ from it; None outside git."""
    home = Path(__file__).resolve().parent

    program, environment = find_program("git"), child_environment()

    def ask(*arguments: str) -> str | None:
        if program is None:
            return None
        try:
            done = subprocess.run(
                [program, *arguments],
                cwd=home, capture_output=True, text=True, timeout=10, env=environment,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    # An installed package may lie inside some other project's tree: ask for this very file.
    if ask("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    commit = ask("rev-parse", "HEAD")
    return f"{commit}+" if commit and ask("status", "--porcelain", "-uno") else commit


def _describe(experiment: Experiment) -> dict[str, Any]:
    """Recipe, arguments, configuration, versions and commit."""
    config = experiment.to_dict()
    recipe = get_recipe(experiment.recipe) if experiment.recipe in RECIPES else Experiment()
    changed = list_differences(recipe.to_dict(), config)
    return {
        "recipe": experiment.recipe,
        "arguments": {name: new for name, (_, new) in changed.items() if name != "recipe"},
        "command": sys.argv,
        "config": config,
        "dry_run": experiment.runtime.limit_batches is not None,
        "versions": {
            "hierseg": __version__,
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in _PACKAGES},
        },
        "commit": find_commit(),
        "platform": platform.platform(),
        "machine": socket.gethostname(),
        "threads": torch.get_num_threads(),
        "processes": count_processes(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
