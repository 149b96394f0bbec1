"""What a person sees of a run: a live display in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from hierseg.errors import make_printable
from hierseg.training.reporting.pace import StepReport
from hierseg.wording import count


def format_duration(seconds: float) -> str:
    """``"4:05"`` or ``"1:04:05"``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def format_step(report: StepReport) -> str:
    """Losses, rate, speed and time left of a step in a line."""
    losses = "  ".join(f"{name} {value:.4f}" for name, value in report.losses.items())
    skipped = f"  {report.skipped} skipped" if report.skipped else ""
    return (
        f"{losses}  lr {report.lr:.2e}  {report.images_per_second:.1f} images/s  "
        f"{format_duration(report.seconds_left)} left{skipped}"
    )


def say_aside(line: str) -> None:
    """A line on standard error, where there is no display yet."""
    print(make_printable(line), file=sys.stderr)


class Display(Protocol):
    """Shows a run as it goes; a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def say(self, line: str) -> None:
        """A line that stays."""

    def is_due(self) -> bool:
        """Whether it wants to be told of a step that the journal does not record."""

    def show_step(self, report: StepReport) -> None:
        """A step is done."""

    def show_validation(self, done: int, images: int) -> None:
        """Validation has come this far."""


class PlainDisplay:
    """Lines for a log file; a step's line comes as often as the display is told of one.

    Args:
        console: Where the lines go.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def say(self, line: str) -> None:
        """A line that stays."""
        # Not the console's own print: that would wrap at 80 columns.
        print(make_printable(line), file=self._console.file, flush=True)

    def is_due(self) -> bool:
        """Never: a line for each step that the journal records is enough."""
        return False

    def show_step(self, report: StepReport) -> None:
        """A line for the step."""
        self.say(
            f"epoch {report.epoch}/{report.epochs}  "
            f"step {report.position}/{report.steps_per_epoch}  {format_step(report)}"
        )

    def show_validation(self, done: int, images: int) -> None:
        """A line when it is over."""
        if done == images:
            self.say(f"validated {count(images, 'image')}")


class LiveDisplay:
    """A bar for the epoch, a bar for validation, and the latest numbers under them.

    Args:
        console: A terminal.
    """

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console
        )
        self._numbers = Text("starting ...", no_wrap=True, overflow="ellipsis")
        self._live = Live(Group(self._bars, self._numbers), console=console, refresh_per_second=4)
        self._epoch = self._bars.add_task("epoch", total=None)
        self._validation = self._bars.add_task("validation", visible=False)
        self._shown = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def say(self, line: str) -> None:
        """A line that stays, above the display."""
        self._live.console.print(make_printable(line), markup=False, highlight=False)

    def is_due(self) -> bool:
        """Twice a second: losses are read from the device no oftener than an eye can follow."""
        return time.monotonic() - self._shown > 0.5

    def show_step(self, report: StepReport) -> None:
        """Move the epoch's bar and renew the numbers."""
        self._shown = time.monotonic()
        self._bars.update(self._validation, visible=False)
        self._bars.update(
            self._epoch,
            description=f"epoch {report.epoch}/{report.epochs}",
            completed=report.position,
            total=report.steps_per_epoch,
        )
        self._numbers.plain = format_step(report)

    def show_validation(self, done: int, images: int) -> None:
        """Move the validation's bar."""
        self._bars.update(self._validation, completed=done, total=images, visible=True)


class NoDisplay:
    """Shows nothing: of several processes the first speaks for all."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def say(self, line: str) -> None:
        """Not said."""

    def is_due(self) -> bool:
        """Never."""
        return False

    def show_step(self, report: StepReport) -> None:
        """Not shown."""

    def show_validation(self, done: int, images: int) -> None:
        """Not shown."""


def make_display(console: Console | None = None, quiet: bool = False) -> Display:
    """The live display where the console is a terminal, else plain lines; on standard error.
    ``quiet`` is for all processes but the first.
    """
    if quiet:
        return NoDisplay()
    console = console or Console(stderr=True)
    return LiveDisplay(console) if console.is_terminal else PlainDisplay(console)
