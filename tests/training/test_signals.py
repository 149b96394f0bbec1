from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from hierseg.cli.ending import Termination
from hierseg.training.signals import RunStopped, StopRequest, ask_for_requeue


def test_before_the_first_step_a_signal_ends_at_once() -> None:
    with StopRequest(), pytest.raises(RunStopped, match=r"SIGUSR1 before its first step"):
        os.kill(os.getpid(), signal.SIGUSR1)


def test_later_it_is_noted_and_a_second_interrupt_ends_at_once() -> None:
    with StopRequest() as stop:
        stop.wait = True
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGINT)  # the first of its kind: what is done is still saved
        assert stop.received is signal.SIGTERM  # the first is what it is said to be
        with pytest.raises(KeyboardInterrupt, match="twice"):
            os.kill(os.getpid(), signal.SIGINT)
    with StopRequest() as stop:
        stop.wait = True
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(
            KeyboardInterrupt, match=r"SIGINT here; continue with --runtime\.resume"
        ):
            stop.end("here")


def test_a_terminal_that_is_closed_is_a_signal_unless_that_is_ignored() -> None:
    with StopRequest() as stop:
        stop.wait = True
        os.kill(os.getpid(), signal.SIGHUP)
        assert stop.received is signal.SIGHUP
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with StopRequest() as stop:
            stop.wait = True
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop.received is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_commands_end_by_it_too() -> None:
    ending = Termination(True)
    with pytest.raises(KeyboardInterrupt), ending:
        os.kill(os.getpid(), signal.SIGHUP)
    assert ending.came
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def test_what_comes_of_a_requeue_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "could not be asked to queue job 7 again" in ask_for_requeue("7")
    scontrol = tmp_path / "scontrol"
    scontrol.write_text("#!/bin/sh\necho 'no such job' >&2\nexit 1\n")
    scontrol.chmod(0o755)
    assert "refuses to queue job 7 again (no such job)" in ask_for_requeue("7")
