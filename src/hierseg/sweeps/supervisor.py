"""One attempt at a run, in its own process, which ends with its driver and with its command.

    python -m hierseg.sweeps.supervisor

reads an attempt as one line of JSON from standard input. On a line ``stop``, or when the input is
closed because the driver is gone, it sends the command SIGTERM, on which a training run saves its
state. A line ``kill`` ends the command at once. The result is in ``status.json``.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from hierseg.errors import UserError
from hierseg.files import FolderLock, write_json
from hierseg.processes import child_environment
from hierseg.sweeps.folder import FINISHED, RunPlace, is_held, now
from hierseg.sweeps.plan import EarlyStop
from hierseg.sweeps.stopping import find_reason

STOPPED = 75
"""Exit status of an attempt, or a training run, that was told to end: EX_TEMPFAIL."""
PATIENCE = 120.0
"""Seconds that a command may take to end, and that an attempt waits for the one before."""
TICK = 0.05
SECONDS_BETWEEN_LOOKS = 2.0
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>


@dataclass(frozen=True)
class Attempt:
    """An attempt for a supervisor.

    Attributes:
        folder: The run's folder.
        words: The command line.
        resume: Further words that continue a run that has begun.
        folder_of_data: The working folder of the command.
        environment: Further environment variables.
        early_stop: Rules for ending it early.
        patience: Seconds that it may take to end.
    """

    folder: str
    words: tuple[str, ...]
    resume: tuple[str, ...] = ()
    folder_of_data: str = "."
    environment: Mapping[str, str] = field(default_factory=dict)
    early_stop: EarlyStop | None = None
    patience: float = PATIENCE

    def to_line(self) -> bytes:
        """One line for a supervisor's standard input."""
        return json.dumps(dataclasses.asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Attempt:
        """The inverse of ``to_line``."""
        content: dict[str, Any] = json.loads(line)
        rule = content.pop("early_stop")
        words, resume = tuple(content.pop("words")), tuple(content.pop("resume"))
        stop = None if rule is None else EarlyStop(**rule)
        return cls(words=words, resume=resume, early_stop=stop, **content)


class Supervisor:
    """Runs one attempt.

    Args:
        attempt: What to run.
    """

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.place = RunPlace(Path(attempt.folder))
        self._wish = ""
        self._is_heard = True
        self._looked_at = time.monotonic()

    def run(self) -> int:
        """The exit status: 0 if the run is finished, 75 if it was told to end, else 1."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, self._note)
        with ExitStack() as stack:
            if not self._hold(stack):
                return STOPPED
            if self.place.find_state() in FINISHED:
                return 0
            self._await_command()
            return STOPPED if self._wish else self._run()

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._wish = self._wish or "stop"

    def _hold(self, stack: ExitStack) -> bool:
        """Hold the folder; the command of an earlier attempt may still hold it while it ends."""
        deadline = time.monotonic() + self.attempt.patience + 10
        while not self._wish:
            try:
                stack.enter_context(FolderLock(self.place.path, "--out"))
                return True
            except UserError:
                if time.monotonic() > deadline:
                    raise
                self._listen(0.2)
        return False

    def _await_command(self) -> None:
        """Wait for a command whose supervisor was killed: it is saving and will end."""
        deadline = time.monotonic() + self.attempt.patience
        while not self._wish and is_held(self.place.run) and time.monotonic() < deadline:
            self._listen(0.2)

    def _run(self) -> int:
        words = [*self.attempt.words, *self._prepare()]
        status = self.place.read_status()
        attempts: list[dict[str, Any]] = status.get("attempts") or []
        entry: dict[str, Any] = {
            "started": now(),
            "host": socket.gethostname(),
            "process": os.getpid(),
            "resumed": len(words) > len(self.attempt.words),
        }
        attempts.append(entry)
        self._write("running", attempts)
        with self.place.log.open("ab") as log:
            log.write(f"--- attempt {len(attempts)}, {entry['started']}\n".encode())
            log.flush()
            try:
                child = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                    cwd=self.attempt.folder_of_data, env=self._environment(),
                    start_new_session=True, preexec_fn=_die_with_parent,
                )  # fmt: skip
            except OSError as error:
                log.write(f"{words[0]} cannot be started: {error}\n".encode())
                entry |= {"ended": now(), "exit_status": None}
                self._write("failed", attempts)
                return 1
            exit_status = self._watch(child)
        entry |= {"ended": now(), "exit_status": exit_status}
        return self._conclude(exit_status, entry, attempts)

    def _conclude(
        self, exit_status: int, entry: dict[str, Any], attempts: list[dict[str, Any]]
    ) -> int:
        if exit_status == 0:
            self._write("done", attempts)
            return 0
        if self._wish.startswith("early: "):
            entry["reason"] = self._wish.removeprefix("early: ")
            self._write("stopped early", attempts)
            return 0
        if self._wish or exit_status == STOPPED:
            self._write("stopped", attempts)
            return STOPPED
        entry["reason"] = self.place.last_line()
        self._write("failed", attempts)
        return 1

    def _prepare(self) -> tuple[str, ...]:
        """The words that continue a run that has begun; an unusable folder is moved aside."""
        run = self.place.run
        if not self.attempt.resume or not run.is_dir():
            return ()
        if (run / "run.json").is_file():
            return self.attempt.resume
        if any(run.iterdir()):  # it was killed while it began
            run.rename(run.with_name(f"run.began-{time.time_ns()}"))
        return ()

    def _environment(self) -> dict[str, str]:
        # Several of torchrun on one machine each need a port of their own.
        return {**child_environment(), "PET_STANDALONE": "1", **self.attempt.environment}

    def _watch(self, child: subprocess.Popen[bytes]) -> int:
        """Wait for the command, and end it on request."""
        told_at: float | None = None
        while (status := child.poll()) is None:
            self._listen(TICK)
            self._look()
            if self._wish == "kill" or (
                told_at is not None and time.monotonic() - told_at > self.attempt.patience
            ):
                _signal_group(child, signal.SIGKILL)
            elif self._wish and told_at is None:
                told_at = time.monotonic()
                _signal_group(child, signal.SIGTERM)
        _signal_group(child, signal.SIGKILL)  # what it started and left
        return status

    def _listen(self, seconds: float) -> None:
        """Wait, read the driver's lines, and note whether it is still there."""
        if not self._is_heard:
            time.sleep(seconds)
            return
        ready, _, _ = select.select([0], [], [], seconds)
        if ready:
            said = os.read(0, 64)
            self._is_heard = bool(said)
            self._wish = "kill" if b"kill" in said else self._wish or "stop"

    def _look(self) -> None:
        """Check the rules for ending the run early."""
        rule = self.attempt.early_stop
        if rule is None or self._wish or time.monotonic() - self._looked_at < SECONDS_BETWEEN_LOOKS:
            return
        self._looked_at = time.monotonic()
        if reason := find_reason(self.place, rule):
            self._wish = f"early: {reason}"

    def _write(self, state: str, attempts: list[dict[str, Any]]) -> None:
        write_json(self.place.status, {"state": state, "attempts": attempts})


def _die_with_parent() -> None:
    """On Linux, make the command end with this process, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGTERM)


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(child.pid, number)
    except (ProcessLookupError, PermissionError):
        return


def main() -> int:
    """Run ``python -m hierseg.sweeps.supervisor``."""
    line = b""
    while not line.endswith(b"\n"):  # one by one: what follows is for ``select``
        byte = os.read(0, 1)
        if not byte:
            return STOPPED
        line += byte
    try:
        return Supervisor(Attempt.from_line(line)).run()
    except (UserError, OSError) as error:
        print(f"hierseg: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
