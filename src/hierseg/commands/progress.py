"""Progress of a command: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import errno
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from hierseg.commands.volume import is_quiet, is_verbose, remark
from hierseg.wording import count_rate

PATIENCE = 3.0
"""Seconds after which it is said what is being waited for."""
SECONDS_BETWEEN_LINES = 15.0


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """The command line knows how to end, and rich would end with a failure."""
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def make_console(stderr: bool = False) -> Console:
    """A console without highlighting and emoji; escape markup. With ``-q`` the console of standard
    error prints nothing.
    """
    return _Console(stderr=stderr, quiet=stderr and is_quiet(), emoji=False, highlight=False)


@contextmanager
def announce(what: str) -> Iterator[None]:
    """Print on standard error what is being done, such as "loading the weights", if it takes more
    than a moment. With ``-v``, print it immediately, and how long it took at the end.
    """
    if not is_verbose():
        with _telling(lambda: f"{what} ...", again=False):
            yield
        return
    remark(f"{what} ...")
    start = time.monotonic()
    yield
    remark(f"{what}: {time.monotonic() - start:.1f} s")


@contextmanager
def announce_steps() -> Iterator[Callable[[str], None]]:
    """Gives a function to call with the name of each step as it begins: a terminal shows the
    current step, elsewhere each step is a line.
    """
    console = make_console(stderr=True)
    if not console.is_terminal or console.quiet:
        yield lambda step: remark(f"{step} ...")
        return
    with console.status("") as status:
        yield lambda step: status.update(f"{step} ...")


@contextmanager
def show_progress(description: str, unit: str = "") -> Iterator[Bar]:
    """Gives a function of (done, total) that moves a bar, which vanishes at the end. If standard
    error is not a terminal, a line is printed soon, and then now and again.

    Args:
        description: What is being done.
        unit: What is counted, such as ``images``, to say how fast it goes; empty not to.
    """
    console = make_console(stderr=True)
    if not console.is_terminal or console.quiet:
        lines = _Lines(description, unit)
        with _telling(lines.describe, again=True):
            yield lines
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[figure]}"),
        TextColumn("{task.fields[part]}"),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        yield _Bar(bars, bars.add_task(description, total=None, figure="", rate="", part=""), unit)


class Bar(Protocol):
    """Shows how far something is, and a figure of it."""

    def __call__(self, done: int, total: int, /) -> None:
        """So many are done."""

    def show_miou(self, miou: float) -> None:
        """The mIoU so far, as a fraction; NaN for none."""

    def show_part(self, what: str, done: int, total: int) -> None:
        """So many windows or scales of the one under way are done."""


def _format_miou(miou: float) -> str:
    return "" if math.isnan(miou) else f"mIoU {100 * miou:.2f}"


def _format_part(what: str, done: int, total: int) -> str:
    return f"{what} {done} of {total}" if 0 < done < total else ""


class _Pace:
    """How fast something goes, since it is made; nothing where no unit is counted."""

    def __init__(self, unit: str) -> None:
        self.unit, self._start = unit, time.monotonic()

    def describe(self, done: int) -> str:
        if not self.unit or not done:
            return ""
        return count_rate((time.monotonic() - self._start) / done, self.unit)


class _Bar:
    """A bar on a terminal."""

    def __init__(self, bars: Progress, task: TaskID, unit: str) -> None:
        self._bars, self._task, self._pace = bars, task, _Pace(unit)

    def __call__(self, done: int, total: int, /) -> None:
        rate = self._pace.describe(done)
        self._bars.update(self._task, completed=done, total=total, rate=rate, part="")

    def show_part(self, what: str, done: int, total: int) -> None:
        self._bars.update(self._task, part=_format_part(what, done, total))

    def show_miou(self, miou: float) -> None:
        self._bars.update(self._task, figure=_format_miou(miou))


class _Lines:
    """How far something is, as text."""

    def __init__(self, description: str, unit: str) -> None:
        self._description = description
        self._figure, self._part, self._pace = "", "", _Pace(unit)
        self._start = time.monotonic()
        self._done, self._total = 0, 0

    def __call__(self, done: int, total: int, /) -> None:
        self._done, self._total, self._part = done, total, ""

    def show_part(self, what: str, done: int, total: int) -> None:
        self._part = _format_part(what, done, total)

    def show_miou(self, miou: float) -> None:
        self._figure = _format_miou(miou)

    def describe(self) -> str:
        done, total = self._done, self._total
        part = f", {self._part} of the next" if self._part else ""
        if not done:
            return f"{self._description} ...{part}"
        left = (time.monotonic() - self._start) / done * max(0, total - done)
        minutes, seconds = divmod(round(left), 60)
        figure = f", {self._figure} so far" if self._figure else ""
        rate = f", {rate}" if (rate := self._pace.describe(done)) else ""
        wait = f"{minutes} min {seconds} s left"
        return f"{self._description}: {done} of {total}{figure}{rate}, {wait}{part}"


@contextmanager
def _telling(describe: Callable[[], str], again: bool) -> Iterator[None]:
    """Print a line after a while, also while nothing moves, and others if ``again``."""
    if is_quiet():
        yield
        return
    ended = threading.Event()

    def tell() -> None:
        pause = PATIENCE
        while not ended.wait(pause):
            remark(describe())
            if not again:
                return
            pause = SECONDS_BETWEEN_LINES

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    try:
        teller.start()
    except RuntimeError:  # no memory for a thread; what is told is not worth an end
        yield
        return
    try:
        yield
    finally:
        ended.set()
        teller.join()


@contextmanager
def show_steps() -> Iterator[Callable[[str, int, int], None]]:
    """Gives a function of (what is done, done, total), for work of several steps: a bar for each on
    a terminal, a line for each that takes long elsewhere.
    """
    with ExitStack() as stack:
        bars: dict[str, Bar] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in bars:
                stack.close()
                bars[what] = stack.enter_context(show_progress(what))
            bars[what](done, total)
            if done >= total:
                stack.close()
                del bars[what]

        yield show
