from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from hierseg.training.reporting.display import format_duration, make_display
from hierseg.training.reporting.observer import EpochReport, Observers, RunReport, StepReport
from hierseg.wording import count

REPORT = StepReport(
    epoch=2,
    epochs=24,
    step=57,
    steps=1080,
    position=12,
    steps_per_epoch=45,
    losses={"loss": 0.71234, "main": 0.5, "auxiliary": 0.53},
    lr=9.5e-4,
    images_per_second=3.94,
    seconds_left=2078.0,
)

RUN = RunReport(Path("runs/a"), "lite", "lite0-ocr-hier", "cpu", 180, 30, 24, 45, step=45)


def test_without_a_terminal_there_are_plain_lines() -> None:
    file = io.StringIO()
    display = make_display(Console(file=file, force_terminal=False, width=20))
    display.on_begin(RUN)
    assert not display.wants_step()
    display.on_step(REPORT)
    for done in range(1, 4):
        display.on_validation(done, 3)
    display.on_epoch(EpochReport(2, 24, 90, 0.5, 65.0, rmi_fallbacks=3, skipped=1))
    display.on_message("[end]")
    assert file.getvalue().splitlines() == [
        "lite: lite0-ocr-hier, 180 images, 24 epochs of 45 steps, on cpu; resumed after step 45",
        "epoch 2/24  step 12/45  loss 0.7123  main 0.5000  auxiliary 0.5300  lr 9.50e-04  "
        "3.9 images/s  34:38 left",
        "validated 3 images",
        "epoch 2/24: loss 0.5000, 1:05, RMI fallbacks to BCE: 3, steps skipped: 1",
        "[end]",
    ]


def test_text_of_a_file_cannot_move_the_cursor() -> None:
    for is_terminal in (False, True):
        file = io.StringIO()
        console = Console(file=file, force_terminal=is_terminal, width=120, color_system=None)
        with Observers([make_display(console)]) as display:
            display.on_message("runs/\x1b]0;gotcha\x07\rhierseg: done")
        assert "\\x1b]0;gotcha\\x07\\x0dhierseg: done" in file.getvalue()


def test_one_is_no_plural() -> None:
    assert [count(n, "epoch") for n in (0, 1, 2)] == ["0 epochs", "1 epoch", "2 epochs"]
    assert count(2, "class", "classes") == "2 classes"


def test_a_terminal_shows_all_of_it_live() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=120, color_system=None)
    with Observers([make_display(console)]) as display:
        display.on_begin(RUN)
        assert display.wants_step()
        display.on_step(REPORT)
        assert not display.wants_step()  # not more often than an eye can follow
        display.on_validation(2, 7)
        display.on_message("[a line that stays]")
    shown = file.getvalue()
    for part in ("epoch 2/24", "12/45", "loss 0.7123", "3.9 images/s", "34:38 left", "2/7"):
        assert part in shown
    assert "[a line that stays]" in shown


@pytest.mark.parametrize(
    ("seconds", "text"), [(5.4, "0:05"), (65, "1:05"), (3599.6, "1:00:00"), (3725, "1:02:05")]
)
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
