"""Displays of a run: a live one in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from hierseg.errors import make_printable
from hierseg.training.reporting.observer import EpochReport, Observer, RunReport, StepReport
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


def format_run(report: RunReport) -> str:
    """What is trained, on what, for how long, and where."""
    line = (
        f"{report.recipe}: {report.model}, {count(report.images, 'image')}, "
        f"{count(report.epochs, 'epoch')} of {count(report.steps_per_epoch, 'step')}, "
        f"on {report.device}"
    )
    if report.is_dry_run:
        line += f"; a dry run, validated on {count(report.validation_images, 'image')}"
    return f"{line}; resumed after step {report.step}" if report.step else line


def format_epoch(report: EpochReport) -> str:
    """Loss, time and mIoU of an epoch in a line."""
    line = (
        f"epoch {report.epoch}/{report.epochs}: "
        f"loss {report.loss:.4f}, {format_duration(report.seconds)}"
    )
    if report.rmi_fallbacks:
        line += f", RMI fallbacks to BCE: {report.rmi_fallbacks}"
    if report.skipped:
        line += f", steps skipped: {report.skipped}"
    if report.evaluation is None:
        return line
    scores = report.evaluation.scores
    classes = count(scores.num_classes_averaged, "class", "classes")
    loss = report.evaluation.loss
    return f"{line}, mIoU {scores.miou:.4f} over {classes}" + (
        "" if loss is None else f", validation loss {loss:.4f}"
    )


def say_aside(line: str) -> None:
    """A line on standard error, where there is no display yet."""
    print(make_printable(line), file=sys.stderr)


class PlainDisplay(Observer):
    """Lines for a log file; a step's line comes as often as the display is told of one.

    Args:
        console: Where the lines go.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def on_begin(self, report: RunReport) -> None:
        """A line about the run."""
        self.on_message(format_run(report))

    def on_message(self, line: str) -> None:
        """A line that stays."""
        # Not the console's own print: that would wrap at 80 columns.
        print(make_printable(line), file=self._console.file, flush=True)

    def on_step(self, report: StepReport) -> None:
        """A line for the step."""
        self.on_message(
            f"epoch {report.epoch}/{report.epochs}  "
            f"step {report.position}/{report.steps_per_epoch}  {format_step(report)}"
        )

    def on_validation(self, done: int, images: int) -> None:
        """A line when it is over."""
        if done == images:
            self.on_message(f"validated {count(images, 'image')}")

    def on_epoch(self, report: EpochReport) -> None:
        """A line for the epoch."""
        self.on_message(format_epoch(report))


class LiveDisplay(Observer):
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

    def on_begin(self, report: RunReport) -> None:
        """Start the display."""
        self._live.start()
        self.on_message(format_run(report))

    def on_message(self, line: str) -> None:
        """A line that stays, above the display."""
        self._live.console.print(make_printable(line), markup=False, highlight=False)

    def wants_step(self) -> bool:
        """Twice a second: losses are read from the device no oftener than an eye can follow."""
        return time.monotonic() - self._shown > 0.5

    def on_step(self, report: StepReport) -> None:
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

    def on_validation(self, done: int, images: int) -> None:
        """Move the validation's bar."""
        self._bars.update(self._validation, completed=done, total=images, visible=True)

    def on_epoch(self, report: EpochReport) -> None:
        """A line for the epoch, above the display."""
        self.on_message(format_epoch(report))

    def on_end(self, error: BaseException | None) -> None:
        """Stop the display."""
        self._live.stop()


def make_display(console: Console | None = None) -> Observer:
    """An observer that shows the run: a live display if the console is a terminal, else lines.

    Args:
        console: The console; None for standard error.

    Returns:
        An observer for ``train``.
    """
    console = console or Console(stderr=True)
    return LiveDisplay(console) if console.is_terminal else PlainDisplay(console)
