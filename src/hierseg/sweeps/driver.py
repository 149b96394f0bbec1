"""Runs what is missing of a sweep: successful runs are not repeated, failed ones are retried."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hierseg.errors import UsageError, make_printable
from hierseg.processes import child_command
from hierseg.sweeps.durations import show_duration
from hierseg.sweeps.folder import FINISHED, Places, RunPlace
from hierseg.sweeps.plan import PlannedRun, Sweep
from hierseg.sweeps.results import read_figure
from hierseg.sweeps.supervisor import PATIENCE, Attempt

MOST_LOSSES = 10
"""Most restarts of a run because its machine or worker died, which is not the run's fault."""
POLL = 0.1

Launcher = Callable[[PlannedRun, Path], list[str]]
"""A run and its folder -> the command line of its process."""


class Runner(Protocol):
    """Runs attempts."""

    slots: int
    """Most attempts at once."""
    word: str
    """The verb for a started attempt, in a line about it."""

    def start(self, name: str, attempt: Attempt) -> None:
        """Start an attempt."""

    def wait(self, seconds: float) -> list[str]:
        """Names of the attempts that have ended, after at most ``seconds``."""

    def stop(self, kill: bool = False) -> None:
        """Tell all attempts to end."""


def launch_hierseg(run: PlannedRun, folder: Path) -> list[str]:
    """This interpreter with the run's command, behind torchrun where it has several processes."""
    words = ["-m", "hierseg", *run.list_words(folder)]
    if run.processes > 1:
        launcher = ["-m", "torch.distributed.run", "--nproc-per-node", str(run.processes)]
        return child_command(*launcher, *words)
    return child_command(*words)


@dataclass(frozen=True)
class Outcome:
    """The state of a sweep's runs after it.

    Attributes:
        done: Folders of finished runs, those of earlier calls included.
        failed: Folders of runs that failed for good.
        left: Number of other unfinished runs.
        is_over: Whether the budget of time ended the sweep.
    """

    done: Sequence[Path] = ()
    failed: Sequence[Path] = ()
    left: int = 0
    is_over: bool = False


@dataclass
class _Job:
    """A run that is not finished yet."""

    run: PlannedRun
    place: RunPlace
    failures: int = 0
    losses: int = 0


@dataclass
class Driver:
    """Runs a sweep.

    Attributes:
        sweep: The sweep.
        runner: Runs its attempts.
        launch: Gives the command line of a run; hierseg's, except in tests.
        say: Called with a line about each event.
        environment: Further environment variables of each run.
        only: Names of the runs to run; empty for all.
        patience: Seconds that a run may take to end when it is told to.
    """

    sweep: Sweep
    runner: Runner
    launch: Launcher = launch_hierseg
    say: Callable[[str], object] = lambda line: print(make_printable(line), file=sys.stderr)
    environment: Mapping[str, str] = field(default_factory=dict)
    only: Sequence[str] = ()
    patience: float = PATIENCE

    def __post_init__(self) -> None:
        self._waiting: deque[_Job] = deque()
        self._running: dict[str, _Job] = {}
        self._done: list[Path] = []
        self._failed: list[Path] = []
        self._places = Places(self.sweep.out)
        self._drawn = 0

    def run(self) -> Outcome:
        """Run what is missing.

        Raises:
            KeyboardInterrupt: Ctrl-C; the runs are saved, and the same command continues them.
        """
        self._queue()
        end = None if self.sweep.budget is None else time.monotonic() + self.sweep.budget
        is_over = False
        try:
            while True:
                is_over = end is not None and time.monotonic() > end
                if is_over or (self._failed and self.sweep.fail_fast):
                    self._end_all()
                    break
                self._fill()
                if not self._running:
                    break
                for name in self.runner.wait(POLL):
                    self._finish(self._running.pop(name))
        except BaseException:
            self.say("ending; the runs save what they have (Ctrl-C again ends them at once) ...")
            self._end_all()
            raise
        left = len(self._waiting) + len(self._running)
        return Outcome(self._done, self._failed, left + self._count_undrawn(), is_over)

    def _queue(self) -> None:
        """Sort the runs into finished and waiting ones."""
        for run, place in self._places.assign(self.sweep.runs):
            if not self.only or place.path.name in self.only:
                self._take(run, place)
        known, search = self._places.known, self.sweep.search
        if search is None:
            return
        for place in known.values():
            drawn = place.read_plan().get("drawn")
            if not isinstance(drawn, dict) or self._drawn >= search.samples:
                continue
            try:
                run = search.make(drawn)
            except (KeyError, ValueError):
                continue
            if known.get(run.identity) is place:
                self._drawn += 1
                self._take(run, place)

    def _take(self, run: PlannedRun, place: RunPlace) -> None:
        if place.find_state() in FINISHED:
            self._done.append(place.path)
            self._learn(run, place)
        else:
            self._waiting.append(_Job(run, place))

    def _fill(self) -> None:
        """Start as many attempts as there are free slots."""
        while len(self._running) < self.runner.slots and (job := self._next()) is not None:
            job.place.write_plan(job.run)
            name = job.place.path.name
            self._running[name] = job
            self.runner.start(name, self._make_attempt(job))
            self.say(f"{name}: {self.runner.word}{self._position()}")

    def _position(self) -> str:
        total = len(self._done) + len(self._failed) + len(self._running) + len(self._waiting)
        return f" ({total - len(self._waiting)} of {total + self._count_undrawn()})"

    def _count_undrawn(self) -> int:
        return 0 if self.sweep.search is None else max(0, self.sweep.search.samples - self._drawn)

    def _next(self) -> _Job | None:
        if self._waiting:
            return self._waiting.popleft()
        search = self.sweep.search
        while search is not None and self._drawn < search.samples:
            run = search.make(search.draw(self._drawn))
            self._drawn += 1
            if run.identity not in self._places.known:
                return _Job(run, self._places.find(run))
            self._learn(run, self._places.known[run.identity])  # drawn before: nothing new
        return None

    def _make_attempt(self, job: _Job) -> Attempt:
        resources, environment = self.sweep.resources, dict(self.environment)
        if resources.cpus is not None:
            environment["OMP_NUM_THREADS"] = str(resources.cpus)
        return Attempt(
            folder=str(job.place.path.absolute()),
            words=tuple(self.launch(job.run, job.place.path)),
            resume=("--runtime.resume",) if job.run.is_resumable else (),
            folder_of_data=str(Path.cwd()),
            environment=environment,
            early_stop=self.sweep.early_stop,
            patience=self.patience,
        )

    def _finish(self, job: _Job) -> None:
        """Note the result of an attempt, and retry it if that is due."""
        name, state = job.place.path.name, job.place.find_state()
        if state in FINISHED:
            self._done.append(job.place.path)
            self.say(f"{name}: {describe(job.place)}")
            self._learn(job.run, job.place)
            return
        reason = describe(job.place)
        if state != "failed" and job.losses < MOST_LOSSES:
            job.losses += 1
            self.say(f"{name}: ended by no fault of its own ({reason}); started again")
            self._waiting.appendleft(job)
        elif job.failures < self.sweep.retries and not _is_refused(job.place):
            job.failures += 1
            self.say(f"{name}: {reason}; tried again ({job.failures} of {self.sweep.retries})")
            self._waiting.appendleft(job)
        else:
            self._failed.append(job.place.path)
            self.say(f"{name}: {reason}; its log is {job.place.log}")
            self._learn(job.run, job.place)

    def _learn(self, run: PlannedRun, place: RunPlace) -> None:
        search = self.sweep.search
        if search is not None and run.drawn is not None:
            figure = read_figure(place, search.metric, search.smaller_is_better)
            search.tell(run.drawn, figure)

    def _end_all(self) -> None:
        """Tell all runs to end; a second Ctrl-C ends them at once."""
        self.runner.stop()
        try:
            self._await_end()
        except KeyboardInterrupt:
            self.runner.stop(kill=True)
            self._await_end()

    def _await_end(self) -> None:
        while self._running:
            for name in self.runner.wait(POLL):
                job = self._running.pop(name)
                if job.place.find_state() in FINISHED:
                    self._done.append(job.place.path)
                else:
                    self._waiting.append(job)


def describe(place: RunPlace) -> str:
    """How a run ended, in a few words."""
    status, state = place.read_status(), place.find_state()
    attempts: list[dict[str, Any]] = status.get("attempts") or [{}]
    last = attempts[-1]
    if state in FINISHED:
        figure = read_figure(place, "miou", False)
        found = "" if figure is None else f", best mIoU {figure:.4f}"
        why = f" ({last['reason']})" if last.get("reason") else ""
        return f"{state}{why}{_describe_time(last)}{found}"
    if state == "failed":
        return (
            f"failed with exit status {last.get('exit_status')} ({last.get('reason') or 'no word'})"
        )
    return state


def _is_refused(place: RunPlace) -> bool:
    """Whether the last attempt ended because of its settings, which no repetition changes."""
    attempts: list[dict[str, Any]] = place.read_status().get("attempts") or [{}]
    return attempts[-1].get("exit_status") == UsageError.exit_status


def _describe_time(attempt: Mapping[str, Any]) -> str:
    from datetime import datetime

    try:
        began, ended = (datetime.fromisoformat(attempt[key]) for key in ("started", "ended"))
    except (KeyError, TypeError, ValueError):
        return ""
    return f" in {show_duration((ended - began).total_seconds())}"
