from __future__ import annotations

import io

import pytest
from rich.console import Console

from hierseg.training.reporting.display import format_duration, make_display
from hierseg.training.reporting.pace import StepReport
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


def test_without_a_terminal_there_are_plain_lines() -> None:
    file = io.StringIO()
    with make_display(Console(file=file, force_terminal=False, width=20)) as display:
        display.say("[begin]")
        assert not display.is_due()
        display.show_step(REPORT)
        for done in range(1, 4):
            display.show_validation(done, 3)
    assert file.getvalue().splitlines() == [
        "[begin]",
        "epoch 2/24  step 12/45  loss 0.7123  main 0.5000  auxiliary 0.5300  lr 9.50e-04  "
        "3.9 images/s  34:38 left",
        "validated 3 images",
    ]


def test_text_of_a_file_cannot_move_the_cursor() -> None:
    for is_terminal in (False, True):
        file = io.StringIO()
        console = Console(file=file, force_terminal=is_terminal, width=120, color_system=None)
        with make_display(console) as display:
            display.say("runs/\x1b]0;gotcha\x07\rhierseg: done")
        assert "\\x1b]0;gotcha\\x07\\x0dhierseg: done" in file.getvalue()


def test_one_is_no_plural() -> None:
    assert [count(n, "epoch") for n in (0, 1, 2)] == ["0 epochs", "1 epoch", "2 epochs"]
    assert count(2, "class", "classes") == "2 classes"


def test_a_terminal_shows_all_of_it_live() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=120, color_system=None)
    with make_display(console) as display:
        assert display.is_due()
        display.show_step(REPORT)
        assert not display.is_due()  # not more often than an eye can follow
        display.show_validation(2, 7)
        display.say("[a line that stays]")
    shown = file.getvalue()
    for part in ("epoch 2/24", "12/45", "loss 0.7123", "3.9 images/s", "34:38 left", "2/7"):
        assert part in shown
    assert "[a line that stays]" in shown


@pytest.mark.parametrize(
    ("seconds", "text"), [(5.4, "0:05"), (65, "1:05"), (3599.6, "1:00:00"), (3725, "1:02:05")]
)
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
