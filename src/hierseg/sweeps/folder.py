"""The folder of a sweep's run: its files, and the state of the run."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from hierseg.errors import UserError
from hierseg.files import LOCK, read_text_file, write_json, write_text
from hierseg.processes import is_running
from hierseg.sweeps.plan import PlannedRun

State = Literal["waiting", "running", "done", "stopped early", "failed", "stopped", "lost"]
"""``lost``: its process was killed. ``stopped``: it was told to end, and can be continued."""
FINISHED: tuple[State, ...] = ("done", "stopped early")


@dataclass(frozen=True)
class RunPlace:
    """Paths in the folder of a run.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def run(self) -> Path:
        """The folder that the command writes to."""
        return self.path / "run"

    @property
    def log(self) -> Path:
        """The output of the command, attempt after attempt."""
        return self.path / "log.txt"

    @property
    def status(self) -> Path:
        """The file with the state of the run."""
        return self.path / "status.json"

    @property
    def planned(self) -> Path:
        """The file that says which run the folder is of."""
        return self.path / "planned.json"

    @property
    def command(self) -> Path:
        """The file with the exact command, as one line."""
        return self.path / "command.txt"

    def write_plan(self, run: PlannedRun) -> None:
        """Record which run the folder is of, before it is started."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.command, run.show(self.path) + "\n")
        content = {
            "identity": run.identity,
            "name": run.name,
            "command": run.command,
            "varied": {name: make_plain(value) for name, value in run.varied.items()},
            "drawn": None if run.drawn is None else dict(run.drawn),
        }
        write_json(self.planned, content)

    def read_plan(self) -> dict[str, Any]:
        """The record of ``write_plan``; empty if the folder is not a sweep's."""
        return _read(self.planned)

    def read_status(self) -> dict[str, Any]:
        """The status of the last attempt; empty before the first."""
        return _read(self.status)

    def find_state(self) -> State:
        """The state of the run, checked against its process."""
        return judge(self.read_status(), self.path)

    def last_line(self) -> str:
        """The last line of the log that is not empty."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - 4096))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def judge(status: Mapping[str, Any], folder: Path) -> State:
    """The state in a status; ``lost`` if its process was killed."""
    state = status.get("state", "waiting")
    if state == "running" and not is_held(folder):
        return "lost"
    known = ("waiting", "running", *FINISHED, "failed", "stopped")
    return state if state in known else "waiting"


def is_held(folder: Path) -> bool:
    """Whether a process holds a folder, by the content of its lock. For another machine's process
    the lock's existence counts.
    """
    try:
        holder: Any = json.loads(read_text_file(folder / LOCK))
        process, host = int(holder["process"]), str(holder["host"])
    except (UserError, ValueError, KeyError, TypeError):
        return False
    if host != socket.gethostname():
        return True
    return is_running(process) and not _is_zombie(process)


def _is_zombie(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False


def list_places(out: Path) -> list[RunPlace]:
    """The folders of runs in the folder of a sweep."""
    if not out.is_dir():
        return []
    found = sorted(path for path in out.iterdir() if path.is_dir())
    return [place for place in map(RunPlace, found) if place.planned.is_file()]


class Places:
    """Assigns folders to a sweep's runs; a run keeps its folder, wherever it is in the file.

    Args:
        out: The folder of the sweep.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.known: dict[str, RunPlace] = {}
        for place in list_places(out):
            identity = place.read_plan().get("identity")
            if isinstance(identity, str):
                self.known.setdefault(identity, place)

    def assign(self, runs: Sequence[PlannedRun]) -> list[tuple[PlannedRun, RunPlace]]:
        """Each run with its folder."""
        return [(run, self.find(run)) for run in runs]

    def find(self, run: PlannedRun) -> RunPlace:
        """The folder of a run: its name, or name and identity if another run has the name."""
        if run.identity not in self.known:
            path = self.out / run.name
            taken = {place.path for place in self.known.values()}
            if path in taken or path.exists():
                path = path.with_name(f"{run.name}-{run.identity[:6]}")
            self.known[run.identity] = RunPlace(path)
        return self.known[run.identity]


def now() -> str:
    """The present time in the form of the records."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def make_plain(value: Any) -> Any:
    """A value as JSON holds it."""
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return [make_plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text_file(path))
    except (UserError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
