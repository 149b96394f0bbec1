from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from rich.markup import escape

from hierseg import cli
from hierseg.commands import progress
from hierseg.commands.progress import announce, make_console, show_progress


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.05)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.05)


def _wait_for(capsys: pytest.CaptureFixture[str], text: str) -> str:
    said, end = "", time.monotonic() + 10
    while text not in said:
        assert time.monotonic() < end, said
        time.sleep(0.01)
        said += capsys.readouterr().err
    return said


def test_a_long_wait_says_once_what_is_being_done(capsys: pytest.CaptureFixture[str]) -> None:
    with announce("loading the weights"):
        assert _wait_for(capsys, "\n") == "loading the weights ...\n"
        time.sleep(0.2)
    assert capsys.readouterr().err == ""


def test_a_short_wait_says_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 30.0)
    with announce("loading the weights"), show_progress("evaluating") as move:
        move(1, 2)
    assert capsys.readouterr() == ("", "")
    assert "progress" not in [thread.name for thread in threading.enumerate()]


def test_progress_is_told_in_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with show_progress("evaluating") as move:
        assert _wait_for(capsys, "\n").startswith("evaluating ...\n")
        move(0, 4)
        assert "0 of" not in _wait_for(capsys, "\n")
        move(1, 4)
        assert "evaluating: 1 of 4, 0 min " in _wait_for(capsys, "1 of 4")
        move(4, 4)
        assert "evaluating: 4 of 4, 0 min 0 s left\n" in _wait_for(capsys, "4 of 4")
    assert capsys.readouterr().out == ""


def test_the_miou_so_far_is_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress("evaluating") as bar:
        bar(1, 4)
        bar.show_miou(float("nan"))  # nothing has counted yet
        assert "evaluating: 1 of 4, 0 min " in _wait_for(capsys, "1 of 4")
        bar.show_miou(0.4567)
        assert "1 of 4, mIoU 45.67 so far, 0 min " in _wait_for(capsys, "mIoU")


def test_a_terminal_shows_the_miou_beside_the_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with show_progress("evaluating") as bar:
        bar(1, 4)
        bar.show_miou(0.4567)
    assert "mIoU 45.67" in capsys.readouterr().err


def test_what_fails_while_it_is_awaited_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), announce("x"):
        raise KeyboardInterrupt
    assert "progress" not in [thread.name for thread in threading.enumerate()]


def test_no_memory_for_a_thread_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    with announce("x"), show_progress("y") as move:
        move(1, 1)


def test_a_console_prints_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    make_console().print(escape("[red]x[/red] [/] :smile: 12 'a'"))
    assert capsys.readouterr().out == "[red]x[/red] [/] :smile: 12 'a'\n"


@pytest.mark.slow
def test_a_command_says_what_it_waits_for(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """With no patience at all each step of a command is said, but for what takes no time here."""
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 30.0)
    streets = tmp_path / "streets"
    assert cli.main(["streets", "--out", str(streets), "--count", "2", "--size", "64x128"]) == 0
    assert "drawing ..." in capsys.readouterr().err
    data = ["--data", "cityscapes", "--root", str(streets), "--weights", str(checkpoint)]
    assert cli.main(["evaluate", *data, "--scales", "1"]) == 0
    assert "evaluating ..." in capsys.readouterr().err
    new = ["--out", str(tmp_path / "new.safetensors"), "--scales", "1"]
    assert cli.main(["calibrate", *data, *new]) == 0
    said = capsys.readouterr().err
    for step in ("loading the weights ...", "fitting ...", "fitting the temperature ..."):
        assert step in said
