"""The processes of a run: how it was launched, what it starts, and sums over all.

No torch until one is asked for.

Losses and evaluation are the same with one process and with many; what they need of the others
goes through here, and knows torch.distributed alone, no engine.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hierseg.errors import SilentError, UserError

if TYPE_CHECKING:
    from torch import Tensor


SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Signals by which a process is told to end: Ctrl-C, a scheduler, a terminal that is closed."""

# Lists of folders in which an empty element is the current folder, and a relative one lies in it.
# OpenCV leaves an empty one in the first of them when it is imported.
_LIBRARIES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_FOLDER_LISTS = (*_LIBRARIES, "PATH", "PYTHONPATH")
_HOME = Path(__file__).resolve().parents[1]


def child_command(*arguments: str) -> list[str]:
    """This interpreter with arguments, such that no module is taken from the current folder or from
    that of a script.
    """
    return [sys.executable, "-P", *arguments]


def child_environment() -> dict[str, str]:
    """The environment for a process that is started: it imports from where this one does, and takes
    neither modules nor libraries nor programs from the current folder, whatever lies there.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(_import_path())}
    return {**_keep_absolute(environment, _FOLDER_LISTS), "PYTHONSAFEPATH": "1"}


def guard_children() -> None:
    """The same for processes that a library starts, which inherit the environment of this one."""
    names = (*_LIBRARIES, "PYTHONPATH")
    kept = _keep_absolute(os.environ, names)
    for name in names:
        if name in os.environ and os.environ[name] != kept.get(name):
            os.environ.pop(name)
            os.environ.update({name: kept[name]} if name in kept else {})
    os.environ["PYTHONSAFEPATH"] = "1"


FOUND, FAILED = "found.json", "failed.json"
"""Where a child that is asked for something writes what it found, or ``reason``, why it did not."""


def ask_child(
    command: Sequence[str], folder: Path, seconds: float, subject: str = ""
) -> tuple[dict[str, Any] | None, str]:
    """Run a child that writes ``FOUND`` or ``FAILED`` into a folder; a crash costs no more than it.

    Args:
        command: As of ``child_command``.
        folder: Where the child writes.
        seconds: After which it is given up.
        subject: What sentences about its end begin with.

    Returns:
        What it found, and an empty text; or None, and why it found nothing.
    """
    try:
        done = subprocess.run(
            command,
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, f"{subject and subject + 'was '}given up after {seconds:.0f} seconds"
    if (folder / FAILED).is_file():
        return None, str(json.loads((folder / FAILED).read_text(encoding="utf-8"))["reason"])
    if done.returncode == 0 and (folder / FOUND).is_file():
        found: dict[str, Any] = json.loads((folder / FOUND).read_text(encoding="utf-8"))
        return found, ""
    return None, subject + _describe_end(done.returncode, done.stderr.decode(errors="replace"))


def _describe_end(status: int, complaint: str) -> str:
    if status < 0:
        try:
            return f"crashed ({signal.Signals(-status).name})"
        except ValueError:
            return f"crashed (signal {-status})"
    last = [line.strip() for line in complaint.splitlines() if line.strip()][-1:]
    return f"failed ({last[0][:200]})" if last else f"failed with status {status}"


def find_program(name: str) -> str | None:
    """The path of a program, None where there is none; never one of the current folder."""
    path = _keep_absolute(os.environ, ("PATH",)).get("PATH", "")
    return shutil.which(name, path=path) if path else None


def _import_path() -> list[str]:
    """Where modules come from, without the current folder: ``python -m`` and ``python -c`` put that
    first. It stays where it is the one that this package lies in.
    """
    return [entry for entry in sys.path if entry and not _is_current_folder(entry)]


def _is_current_folder(entry: str) -> bool:
    try:
        return Path(entry).samefile(Path.cwd()) and Path(entry).resolve() != _HOME
    except OSError:  # what is not there, such as Python's library as a zip file
        return False


def _keep_absolute(environment: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """The environment, its lists of folders without what is empty or relative."""
    kept = dict(environment)
    for name in names:
        if name in kept:
            entries = [e for e in kept.pop(name).split(os.pathsep) if Path(e).is_absolute()]
            kept |= {name: os.pathsep.join(entries)} if entries else {}
    return kept


class Launch(NamedTuple):
    """How this process was launched, as torchrun or SLURM tells it in the environment.

    Attributes:
        rank: Its number among all, from 0.
        processes: How many there are.
        local_rank: Its number on its machine.
        local_processes: How many each machine has, at most.
        by: ``"torchrun"``, ``"slurm"``, or ``""`` for a process by itself.
    """

    rank: int = 0
    processes: int = 1
    local_rank: int = 0
    local_processes: int = 1
    by: str = ""

    @property
    def machines(self) -> int:
        """Machines of the run."""
        return math.ceil(self.processes / max(1, self.local_processes))

    @classmethod
    def find(cls, environment: Mapping[str, str] | None = None) -> Launch:
        """Read it from the environment, that of this process by default.

        In a SLURM job only what ``srun`` starts is one of several: a script that calls the command
        without it runs it once, however many tasks the job has.
        """
        env = os.environ if environment is None else environment

        def number(name: str, default: int) -> int:
            value = env.get(name, "")
            return int(value) if value.isdigit() else default

        if "TORCHELASTIC_RUN_ID" in env:
            return cls(
                number("RANK", 0),
                number("WORLD_SIZE", 1),
                number("LOCAL_RANK", 0),
                number("LOCAL_WORLD_SIZE", 1),
                "torchrun",
            )
        tasks = number("SLURM_STEP_NUM_TASKS", 1)
        if tasks > 1 and "SLURM_PROCID" in env:
            nodes = number("SLURM_STEP_NUM_NODES", number("SLURM_NNODES", 1))
            here = math.ceil(tasks / max(1, nodes))
            return cls(number("SLURM_PROCID", 0), tasks, number("SLURM_LOCALID", 0), here, "slurm")
        return cls()


@contextmanager
def only_first_speaks() -> Iterator[None]:
    """Of several processes let the first alone print, and complain of what none of them can do.

    What goes wrong once they have joined is left to whoever runs them: it may be one's alone.

    Raises:
        SilentError: In the others, instead of a UserError before they have joined.
    """
    launch = Launch.find()
    if launch.rank == 0:
        yield
        return
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        try:
            yield
        except UserError as error:
            # Nothing has joined where torch is not even there yet.
            if "torch" in sys.modules and count_processes() > 1:
                raise
            raise SilentError(error.exit_status) from error


_alone = ContextVar("alone", default=False)


@contextmanager
def alone() -> Iterator[None]:
    """Within it this process counts as one by itself: for what it does of its own items, of which
    another process may have fewer, so that none may wait for the others.
    """
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


def count_processes() -> int:
    """Processes that have joined; 1 where nothing was launched."""
    import torch.distributed as dist

    if _alone.get():
        return 1
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def own_rank() -> int:
    """This process's number among those that have joined, from 0."""
    import torch.distributed as dist

    return dist.get_rank() if count_processes() > 1 else 0


def sum_over_processes(value: Tensor) -> Tensor:
    """The sum of a tensor over all processes, without a gradient; exact for integers.

    All processes must call it, with tensors of one shape and type. Alone it is the tensor itself.
    """
    if count_processes() == 1:
        return value
    import torch.distributed as dist

    # NCCL sums on GPUs alone.
    total = value.detach().cuda() if dist.get_backend() == "nccl" else value.detach()
    total = total.clone()
    dist.all_reduce(total)
    return total.to(value.device)
