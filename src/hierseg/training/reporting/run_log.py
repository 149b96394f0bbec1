"""The log file of a run."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path

from hierseg.errors import make_printable
from hierseg.training.reporting.display import (
    format_epoch,
    format_run,
    format_step,
    say_aside,
)
from hierseg.training.reporting.observer import EpochReport, Observer, RunReport, StepReport
from hierseg.version import __version__
from hierseg.wording import count


class RunLog(Observer):
    """Appends the lines of the plain display to ``run.log``, whatever display is shown.

    A resumed run appends to the file. If the log cannot be written, the run goes on.

    Args:
        path: The file; its folder need not exist before the first line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_begin(self, report: RunReport) -> None:
        """When it began, and what is trained."""
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        self.on_message(f"{now}, hierseg {__version__}")
        self.on_message(format_run(report))

    def on_step(self, report: StepReport) -> None:
        """A line for the step, as the journal has it."""
        if report.is_logged:
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

    def on_message(self, line: str) -> None:
        """The line, at the end of the file."""
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{make_printable(line)}\n")

    def on_end(self, error: BaseException | None) -> None:
        """The error that ended the run, if it was not completed."""
        if error is not None:
            self.on_message(str(error) or f"ended by {type(error).__name__}")

    def say_aside(self, line: str) -> None:
        """A line on standard error, before there is a display, and in the file."""
        say_aside(line)
        self.on_message(line)
