from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from hierseg.jobs import progress as progress_module
from hierseg.jobs.progress import RunProgress


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def console(said: io.StringIO) -> Console:
    return Console(file=said, width=200)


def test_an_image_that_takes_long_is_said_too_and_no_rate_is_zero(
    said: io.StringIO, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_module, "PATIENCE", 0.05)
    with RunProgress(2, console) as progress:
        time.sleep(0.3)
        progress.advance()
        progress.advance()
    assert said.getvalue().startswith("segmenting; 0 of 2 images so far\n")
    assert "0.0" not in said.getvalue()


@pytest.mark.parametrize(
    ("done", "total", "line"),
    [
        (1, 3, "1 of 3 images, 62.0 s per image, 2 min 4 s left"),
        (124, None, "124 images, 2.0 images/s"),
        (0, None, "segmenting; 0 images so far"),
    ],
)
def test_slow_rates_are_seconds_per_image(
    monkeypatch: pytest.MonkeyPatch, done: int, total: int | None, line: str
) -> None:
    progress = RunProgress(total, Console(file=io.StringIO()))
    monkeypatch.setattr("hierseg.jobs.progress.time.monotonic", lambda: 100.0)
    progress.done, progress._start = done, 38.0
    assert progress._line() == line
