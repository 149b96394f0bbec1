"""What a sweep file comes to: runs, each with its command, and how they are to be run."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESULT = "result.json"
"""Where a run of `hierseg evaluate` leaves its figures."""
_UNFIT = re.compile(r"[^A-Za-z0-9.+_-]+")
LONGEST_NAME = 80


@dataclass(frozen=True)
class Resources:
    """What one run takes of a machine.

    Attributes:
        cpus: Cores; also its number of threads where it is given.
        gpus: GPUs.
        memory: Bytes; of interest to Ray alone.
        labels: Labels that a Ray node must have.
    """

    cpus: int | None = None
    gpus: int = 0
    memory: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EarlyStop:
    """When a run is ended before its last epoch, by its curve of the metric.

    Attributes:
        metric: Column of ``epochs.csv``.
        smaller_is_better: Whether the metric is a loss.
        patience: Validations in a row without a better value; 0 for no such rule.
        median: Whether to end a run whose best value so far is worse than the median of what the
            other runs had at the same epoch.
        after: Epochs that every run is given.
    """

    metric: str = "miou"
    smaller_is_better: bool = False
    patience: int = 0
    median: bool = False
    after: int = 1


@dataclass(frozen=True)
class PlannedRun:
    """A run of a sweep.

    Attributes:
        name: What its folder is called, unless another run has the name.
        command: The command of hierseg.
        words: Its words without those that name the run's folder.
        varied: The settings in which it differs from others of its sweep.
        processes: How many torchrun starts; 1 without it.
        drawn: What a search drew for it, by the names in the file; None of a list of runs.
        saves_panels: Whether `evaluate` is to write pictures of every image into its folder.
        key: The words by which it is known again, where some of ``words`` say nothing new.
    """

    name: str
    command: str
    words: tuple[str, ...]
    varied: Mapping[str, Any] = field(default_factory=dict)
    processes: int = 1
    drawn: Mapping[str, Any] | None = None
    saves_panels: bool = False
    key: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """What is the same as long as the resolved command is, whatever its place in a file."""
        content = json.dumps(
            [self.command, list(self.key or self.words), self.processes, self.saves_panels]
        )
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @property
    def is_resumable(self) -> bool:
        """Whether it goes on from a checkpoint; predict and evaluate know by themselves."""
        return self.command == "train"

    def list_words(self, folder: Path) -> list[str]:
        """The words behind ``hierseg``, for a folder of the run."""
        return [self.command, *self.words, *self.place(folder)]

    def place(self, folder: Path) -> list[str]:
        """The words that name the run's folder."""
        run = folder / "run"
        if self.command == "train":
            return ["--runtime.out", str(run)]
        if self.command == "evaluate":
            panels = ["--save-panels", str(run)] if self.saves_panels else []
            page = ["--out", str(run)] if "--worst" in self.words else []
            return ["--json", str(folder / RESULT), *panels, *page]
        if self.command == "submit":
            return ["--out", str(folder / "submission.zip")]
        return ["--out", str(run)]

    def show(self, folder: Path) -> str:
        """The command as one line for a shell."""
        words = shlex.join(self.list_words(folder))
        if self.processes > 1:
            return f"torchrun --nproc-per-node {self.processes} -m hierseg {words}"
        return f"hierseg {words}"


@dataclass(frozen=True)
class Sweep:
    """A sweep file, read.

    Attributes:
        path: The file.
        out: Folder of the runs' folders.
        runs: What is to be run; those of a search are drawn one by one.
        notes: Sentences about what the file says and nothing comes of.
        retries: How often a run that fails is tried again.
        resources: What one run takes.
        fail_fast: Whether the first run that fails for good ends the sweep.
        budget: Seconds after which the sweep ends, to be continued; None for no end.
        early_stop: When a run is ended early.
        search: What draws further runs.
        is_translated: Whether it is a file of the original's kind.
    """

    path: Path
    out: Path
    runs: Sequence[PlannedRun]
    notes: Sequence[str] = ()
    retries: int = 0
    resources: Resources = field(default_factory=Resources)
    fail_fast: bool = False
    budget: float | None = None
    early_stop: EarlyStop | None = None
    search: Any = None
    is_translated: bool = False


def make_name(parts: Sequence[str]) -> str:
    """A name for a run's folder out of parts; ``run`` where there are none."""
    cleaned = (_UNFIT.sub("_", part).strip("_.") for part in parts)
    name = "-".join(part for part in cleaned if part) or "run"
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: LONGEST_NAME - 9]}-{digest}"
