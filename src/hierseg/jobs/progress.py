"""Shows the progress of a run: a bar on a terminal, else a line from time to time."""

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
"""Seconds after which the first line says what is being waited for."""


class RunProgress:
    """Shows the number of images done, the rate, and the time left; a context manager.

    Args:
        total: Number of images to do; None if it is not known.
        console: Where to show it; None shows nothing.
        unit: What is counted, in the plural.
        each: Number of images that one ``advance`` counts: the number of processes that share them.
        doing: What is done with the images, such as ``segmenting``.
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
            except RuntimeError:  # no memory for a thread: lines only come when images are done
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
        """Count one more image as done or skipped."""
        self.done, self._part = self.done + self.each, ""
        if self.total is not None and self.each > 1:
            self.done = min(self.done, self.total)
        if self._bars is not None:
            self._bars.update(self._task, completed=self.done, rate=self._rate(), part="")
        elif self.console is not None and self.done != self.total:
            self._tell_after(SECONDS_BETWEEN_LINES)

    def show_part(self, what: str, done: int, total: int) -> None:
        """Show how many parts (scales or windows) of the current image are done."""
        self._part = f"{what} {done} of {total}" if 0 < done < total else ""
        if self._bars is not None:
            self._bars.update(self._task, part=self._part)

    def _tell(self) -> None:
        """Print a line soon and then from time to time, even while a single image takes long."""
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
            # The line holds names of files, which are not trusted.
            self.console.print(escape(make_printable(line)), highlight=False, soft_wrap=True)
