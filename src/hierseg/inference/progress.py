"""How far a folder run is: a bar on a terminal, a line now and then where there is none."""

from __future__ import annotations

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

SECONDS_BETWEEN_LINES = 15.0


class RunProgress:
    """Counts images, and tells images a second and the time left.

    Args:
        total: How many images there are to do; None where that is not known.
        console: Where to say it; None says nothing.
        unit: What is counted.
    """

    def __init__(self, total: int | None, console: Console | None, unit: str = "images") -> None:
        self.total = total
        self.unit = unit
        self.console = console
        self.done = 0
        self._start = self._last = time.monotonic()
        self._bars: Progress | None = None
        if console is not None and console.is_terminal and total != 0:
            self._bars = Progress(
                TextColumn("segmenting"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                TextColumn("left"),
                console=console,
                transient=True,
            )
            self._task = self._bars.add_task("", total=total, rate="")

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    @property
    def rate(self) -> float:
        """Images a second so far."""
        return self.done / max(time.monotonic() - self._start, 1e-9)

    def advance(self) -> None:
        """One more image is done or skipped."""
        self.done += 1
        if self._bars is not None:
            self._bars.update(
                self._task, completed=self.done, rate=f"{self.rate:.1f} {self.unit}/s"
            )
        elif self.console is not None and self.done != self.total:
            now = time.monotonic()
            if now - self._last >= SECONDS_BETWEEN_LINES:
                self._last = now
                self.say(self._line())

    def _line(self) -> str:
        rate = f"{self.rate:.1f} {self.unit}/s"
        if self.total is None:
            return f"{self.done} {self.unit}, {rate}"
        left = round(max(0.0, (self.total - self.done) / self.rate))
        minutes, seconds = divmod(left, 60)
        return f"{self.done} of {self.total} {self.unit}, {rate}, {minutes} min {seconds} s left"

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if self.console is not None:
            # Names of files are in it.
            self.console.print(escape(make_printable(line)), highlight=False, soft_wrap=True)
