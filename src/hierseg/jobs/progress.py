"""How far a folder run is: a bar on a terminal, a line now and then where there is none."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from hierseg.errors import make_printable
from hierseg.wording import count_rate

SECONDS_BETWEEN_LINES = 15.0
PATIENCE = 3.0
"""Seconds after which it is said what is being waited for."""


def _print(console: Console, line: str) -> None:
    console.print(escape(make_printable(line)), highlight=False, soft_wrap=True)


class RunProgress:
    """Counts images, and tells images a second and the time left.

    Args:
        total: How many images there are to do; None where that is not known.
        console: Where to say it; None says nothing.
        unit: What is counted.
        each: How many are done where one is: as many as there are processes that share them.
        doing: What is done with them.
    """

    def __init__(
        self,
        total: int | None,
        console: Console | None,
        unit: str = "images",
        each: int = 1,
        doing: str = "segmenting",
    ) -> None:
        self.total, self.each = total, each
        self.unit, self.doing = unit, doing
        self.console = console
        self.done, self._part = 0, ""
        self._start = self._last = time.monotonic()
        self._ended = threading.Event()
        self._teller: threading.Thread | None = None
        self._bars: Progress | None = None
        if console is not None and console.is_terminal and total != 0:
            self._bars = Progress(
                TextColumn(doing),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                TextColumn("left"),
                TextColumn("{task.fields[part]}"),
                console=console,
                transient=True,
            )
            self._task = self._bars.add_task("", total=total, rate="", part="")

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        elif self.console is not None and self.total != 0:
            self._teller = threading.Thread(target=self._tell, name="progress", daemon=True)
            try:
                self._teller.start()
            except RuntimeError:  # no memory for a thread: lines come as images are done
                self._teller = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._bars is not None:
            self._bars.stop()
        if self._teller is not None:
            self._teller.join()

    def advance(self) -> None:
        """One more image is done or skipped."""
        self.done, self._part = self.done + self.each, ""
        if self.total is not None and self.each > 1:
            self.done = min(self.done, self.total)
        if self._bars is not None:
            self._bars.update(self._task, completed=self.done, rate=self._rate(), part="")
        elif self.console is not None and self.done != self.total:
            self._tell_after(SECONDS_BETWEEN_LINES)

    def show_part(self, what: str, done: int, total: int) -> None:
        """So many parts, scales or windows, of the image under way are done."""
        self._part = f"{what} {done} of {total}" if 0 < done < total else ""
        if self._bars is not None:
            self._bars.update(self._task, part=self._part)

    def _tell(self) -> None:
        """A line soon, and now and then: also while a single image takes long."""
        if not self._ended.wait(PATIENCE):
            self._tell_after(PATIENCE)
        while not self._ended.wait(PATIENCE):
            self._tell_after(SECONDS_BETWEEN_LINES)

    def _tell_after(self, seconds: float) -> None:
        now = time.monotonic()
        if now - self._last >= seconds:
            self._last = now
            self.say(self._line())

    def _rate(self) -> str:
        """Images a second so far, or seconds per image."""
        seconds = max(time.monotonic() - self._start, 1e-9) / max(self.done, 1)
        return count_rate(seconds, self.unit)

    def _line(self) -> str:
        count = f"{self.done} {self.unit}"
        if self.total is not None:
            count = f"{self.done} of {self.total} {self.unit}"
        part = f", {self._part} of the next" if self._part else ""
        if self.done == 0:
            return f"{self.doing}; {count} so far{part}"
        if self.total is None:
            return f"{count}, {self._rate()}{part}"
        spent = time.monotonic() - self._start
        minutes, seconds = divmod(round(spent / self.done * max(0, self.total - self.done)), 60)
        return f"{count}, {self._rate()}, {minutes} min {seconds} s left{part}"

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if self.console is not None:
            # Names of files are in it.
            self.console.print(escape(make_printable(line)), highlight=False, soft_wrap=True)
