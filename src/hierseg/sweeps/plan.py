"""The content of a sweep file: runs with their commands, and how to run them."""

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
"""The file of figures of a `hierseg evaluate` run."""
_UNFIT = re.compile(r"[^A-Za-z0-9.+_-]+")
LONGEST_NAME = 80


@dataclass(frozen=True)
class Resources:
    """The resources of one run.

    Attributes:
        cpus: CPU cores, which is also the number of threads; None to leave both open.
        gpus: Number of GPUs.
        memory: Memory in bytes; used by Ray and SLURM only.
        labels: Labels that a Ray node must have.
    """

    cpus: int | None = None
    gpus: int = 0
    memory: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EarlyStop:
    """Rules for ending a run before its last epoch, by its curve of a metric.

    Attributes:
        metric: Column of ``epochs.csv``.
        smaller_is_better: Whether the metric is a loss.
        patience: End after so many validations in a row without a better value; 0 for no limit.
        median: Whether to end a run whose best value so far is worse than the median of the other
            runs' best values at the same epoch.
        after: Epochs that every run gets.
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
        name: Name of its folder, unless another run has the name.
        command: The command of hierseg.
        words: Its words, without those that name the run's folder.
        varied: The settings in which it differs from other runs of its sweep.
        processes: Number of processes that torchrun starts; 1 for no torchrun.
        drawn: The settings that a search drew, by their names in the file; None without a search.
        saves_panels: Whether `evaluate` writes pictures of every image into its folder.
        key: The words that identify the run, if not all of ``words`` do.
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
        """A digest of the resolved command, independent of the run's place in the file."""
        content = json.dumps(
            [self.command, list(self.key or self.words), self.processes, self.saves_panels]
        )
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @property
    def is_resumable(self) -> bool:
        """Whether it needs a word to resume; predict and evaluate resume by themselves."""
        return self.command == "train"

    def list_words(self, folder: Path) -> list[str]:
        """The words after ``hierseg``, with the run's folder."""
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
        runs: The runs; those of a search are drawn one by one.
        notes: Sentences about keys of the file that have no effect.
        retries: Most retries of a failed run.
        resources: Resources of one run.
        fail_fast: Whether the first run that fails for good ends the sweep.
        budget: Seconds after which the sweep stops, to be continued; None for no limit.
        early_stop: Rules for ending runs early.
        search: The search that draws further runs.
        is_translated: Whether it is an original's sweep file.
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
    """A name for a run's folder, made of parts; ``run`` if there are none."""
    cleaned = (_UNFIT.sub("_", part).strip("_.") for part in parts)
    name = "-".join(part for part in cleaned if part) or "run"
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: LONGEST_NAME - 9]}-{digest}"
