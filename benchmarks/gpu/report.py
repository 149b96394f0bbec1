"""Parts of a run under one time budget: what each found, as a table and as JSON."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch

from hierseg.errors import lacks_memory

Figures = dict[str, Any]


class Part(NamedTuple):
    """Something that is measured.

    Attributes:
        name: What it is called.
        seconds: That it is expected to take; it is not begun where fewer are left.
        measure: Gives its rows: what was measured, and its figures.
    """

    name: str
    seconds: float
    measure: Callable[[], Iterator[tuple[str, Figures]]]


class OutOfTimeError(RuntimeError):
    """The budget is used up in the middle of a part."""


class Report:
    """Runs parts and writes down what comes out, after each.

    Args:
        path: The JSON file.
        budget: Seconds for all parts.
        about: Of the machine.
    """

    def __init__(self, path: Path, budget: float, about: Figures) -> None:
        self.path, self.budget = path, budget
        self.content: Figures = {"about": about, "budget_seconds": budget, "parts": {}}
        self.failed = False
        self._start = time.monotonic()

    @property
    def left(self) -> float:
        """Seconds of the budget."""
        return self.budget - (time.monotonic() - self._start)

    def run(self, part: Part) -> None:
        """Measure a part; what fails or does not fit says so, and the next one goes on."""
        print(f"\n**{part.name}**", flush=True)
        found: Figures = {"rows": {}}
        self.content["parts"][part.name] = found
        begun = time.monotonic()
        if part.seconds > self.left:
            found["skipped"] = (
                f"needs about {part.seconds:.0f} s, and {max(0, self.left):.0f} of "
                f"{self.budget:.0f} are left"
            )
            print(f"skipped: {found['skipped']}", flush=True)
        else:
            try:
                with _ending_after(self.left):
                    for name, figures in part.measure():
                        found["rows"][name] = figures
                        print(f"| {name} | {_show(figures)} |", flush=True)
                        self.failed |= figures.get("ok") is False
            except Exception as error:  # each kernel may fail in ways of its own
                self._explain(found, error)
        found["seconds"] = round(time.monotonic() - begun, 1)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.path.write_text(json.dumps(self.content, indent=2) + "\n", encoding="utf-8")

    def _explain(self, found: Figures, error: Exception) -> None:
        """Why a part has ended before its end."""
        if lacks_memory(error):
            found["skipped"] = "the rest of it needs more memory than there is"
        # A compiler in which the alarm goes off raises an error of its own.
        elif isinstance(error, OutOfTimeError) or self.left <= 0:
            found["skipped"] = f"the {self.budget:.0f} s were over in the middle of it"
        else:
            lines = str(error).splitlines() or [""]
            found["failed"] = f"{type(error).__name__}: {lines[0]}"
            self.failed = True
        ((word, reason),) = ((key, found[key]) for key in ("skipped", "failed") if key in found)
        print(f"{word}: {reason}", flush=True)


@contextmanager
def _ending_after(seconds: float) -> Iterator[None]:
    """OutOfTimeError once so many seconds have passed, where the system has such alarms."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, max(1.0, seconds))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _show(figures: Figures) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in figures.items()
    )
