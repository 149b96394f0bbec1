"""Attempts as processes of this machine."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Sequence

from hierseg.processes import child_command, child_environment
from hierseg.sweeps.supervisor import Attempt

SUPERVISOR = ("-m", "hierseg.sweeps.supervisor")


class LocalRunner:
    """Runs attempts on this machine, several at a time.

    Args:
        slots: Most attempts at once.
        gpus: GPUs to assign to runs, by their names in ``CUDA_VISIBLE_DEVICES``.
        gpus_per_run: GPUs of each run; 0 leaves the variable as it is.
    """

    word = "started"

    def __init__(self, slots: int = 1, gpus: Sequence[str] = (), gpus_per_run: int = 0) -> None:
        self.slots = slots
        self._free = list(gpus)
        self._per_run = gpus_per_run
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._taken: dict[str, list[str]] = {}

    def start(self, name: str, attempt: Attempt) -> None:
        """Start an attempt."""
        taken, self._free = self._free[: self._per_run], self._free[self._per_run :]
        environment = child_environment()
        if self._per_run:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(taken)
        self._taken[name] = taken
        self._processes[name] = start_supervisor(attempt, environment)

    def wait(self, seconds: float) -> list[str]:
        """Names of the attempts that have ended."""
        deadline = time.monotonic() + seconds
        while True:
            ended = [
                name for name, process in self._processes.items() if process.poll() is not None
            ]
            if ended or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        for name in ended:
            close(self._processes.pop(name))
            self._free += self._taken.pop(name)
        return ended

    def stop(self, kill: bool = False) -> None:
        """Tell all attempts to save and end; with ``kill`` to end at once."""
        for process in self._processes.values():
            tell(process, b"kill\n" if kill else b"stop\n")


def start_supervisor(attempt: Attempt, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a supervisor in its own session, so that only the driver gets Ctrl-C."""
    process = subprocess.Popen(
        child_command(*SUPERVISOR),
        stdin=subprocess.PIPE, env=environment, start_new_session=True,
    )  # fmt: skip
    tell(process, attempt.to_line())
    return process


def tell(process: subprocess.Popen[bytes], line: bytes) -> None:
    """Send a line to a supervisor, if it is still running."""
    assert process.stdin is not None
    with contextlib.suppress(OSError, ValueError):
        process.stdin.write(line)
        process.stdin.flush()


def close(process: subprocess.Popen[bytes]) -> None:
    """Release the resources of a supervisor that has ended."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
