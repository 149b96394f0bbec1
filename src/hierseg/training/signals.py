"""Signals that stop a run after its step, with its state saved."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from hierseg.errors import UserError
from hierseg.processes import SIGNALS, child_environment, find_program, own_rank

REQUEUE = 75
"""Exit status of a run that a scheduler should start again: EX_TEMPFAIL of sysexits.h."""
_SIGNALS = (*SIGNALS, signal.SIGUSR1)


class RunEnded(UserError):
    """The run cannot go on, and there is nothing left to save."""


class RunStopped(RunEnded):
    """A scheduler's signal ended the run; it can be resumed. Exit status 75."""

    exit_status = REQUEUE


class StopRequest:
    """Catches SIGINT, SIGTERM, SIGHUP and SIGUSR1 within its context.

    Until ``wait`` is set a signal ends the run at once, since there is nothing to save. After that
    the first signal is stored in ``received``. A second SIGINT always ends the run at once. If
    SIGHUP is ignored, as under ``nohup``, it stays so.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.wait = False
        self._interrupts = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        # Python lets the main thread alone set handlers; in others a run is ended otherwise.
        if threading.current_thread() is threading.main_thread():
            self._before = {
                number: signal.signal(number, self._note)
                for number in _SIGNALS
                if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN
            }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._interrupts += number == signal.SIGINT
        if self.received is None:
            self.received = signal.Signals(number)
        if self._interrupts > 1:
            raise KeyboardInterrupt(
                "interrupted twice; what came after the last checkpoint is lost."
            )
        if not self.wait:
            self.end("before its first step", "start it again")

    def end(self, where: str, cure: str = "continue with --runtime.resume") -> None:
        """End the run, which is saved: raise KeyboardInterrupt after Ctrl-C, else RunStopped.

        Under SLURM the first process requeues the job first.
        """
        received = self.received or signal.SIGTERM  # None where another process was told
        sentence = f"stopped by {received.name} {where}; {cure}."
        if received is signal.SIGINT:
            raise KeyboardInterrupt(sentence)
        job = os.environ.get("SLURM_JOB_ID")
        if job and own_rank() == 0:
            sentence += f" {ask_for_requeue(job)}"
        raise RunStopped(sentence)


def ask_for_requeue(job: str) -> str:
    """Ask SLURM to requeue a job; returns a sentence about the result."""
    program = find_program("scontrol")
    if program is None:
        return f"SLURM could not be asked to queue job {job} again (there is no scontrol)."
    try:
        done = subprocess.run(
            [program, "requeue", job],
            capture_output=True, text=True, timeout=30, env=child_environment(),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"SLURM could not be asked to queue job {job} again ({error})."
    if done.returncode:
        return f"SLURM refuses to queue job {job} again ({done.stderr.strip()})."
    return f"SLURM has queued job {job} again."
