from __future__ import annotations

import time
from pathlib import Path

import pytest

from hierseg import cli
from hierseg.commands import progress
from hierseg.commands.progress import announce, make_console, show_progress
from hierseg.commands.volume import Volume, at_volume, is_quiet, is_verbose, remark
from hierseg.errors import UserError


def speak(seconds: float = 0.0) -> None:
    """What a command says on its way, and its result."""
    with announce("loading"):
        time.sleep(seconds)
    with show_progress("working") as bar:
        bar(1, 2)
        time.sleep(seconds)
    remark("found\x1b 3")
    make_console(stderr=True).print("a console")
    make_console().print("the result")


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.01)


def test_quiet_leaves_the_result(hurried: None, capsys: pytest.CaptureFixture[str]) -> None:
    with at_volume(Volume.QUIET):
        speak(0.05)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("the result\n", "")
    speak(0.05)
    said = capsys.readouterr()
    assert all(part in said.err for part in ("loading ...", "working: 1 of 2", "found\\x1b 3"))


def test_verbose_says_each_step_and_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    with at_volume(Volume.VERBOSE):
        speak()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "loading ..."
    assert lines[1].startswith("loading: 0.")
    assert lines[1].endswith(" s")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], (False, False)),
        (["-q"], (True, False)),
        (["--quiet"], (True, False)),
        (["-v"], (False, True)),
        (["--verbose"], (False, True)),
    ],
)
def test_every_command_takes_them_and_they_end_with_it(
    words: list[str], expected: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, bool]] = []

    def streets(out: Path) -> None:
        seen.append((is_quiet(), is_verbose()))

    monkeypatch.setattr("hierseg.commands.streets.streets", streets)
    assert cli.main([*words, "streets", "--out", "x"]) == 0
    assert cli.main(["streets", "--out", "x", *words]) == 0
    assert seen == [expected] * 2
    assert not is_quiet()
    assert not is_verbose()


def test_both_at_once_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["-q", "streets", "--out", "x", "--verbose"]) == 2
    assert "give one of them" in capsys.readouterr().err


def test_a_failure_is_said_in_any_case_and_where_it_came_from_if_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def streets(out: Path) -> None:
        raise UserError("the cure.")

    monkeypatch.setattr("hierseg.commands.streets.streets", streets)
    said: dict[str, str] = {}
    for flag in ("-q", "-v"):
        assert cli.main(["streets", "--out", "x", flag]) == 1
        said[flag] = capsys.readouterr().err
    assert said["-q"] == "hierseg: the cure.\n"
    assert "Traceback" in said["-v"]
    assert said["-v"].endswith("hierseg: the cure.\n")
