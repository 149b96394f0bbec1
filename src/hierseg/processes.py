"""The processes of a run: how they were launched, child processes, and sums over all processes.

Losses and evaluation run the same code with one process and with many: they sum through this
module, which uses torch.distributed alone. torch is imported when it is first needed.
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
"""Signals that tell a process to end: of Ctrl-C, a scheduler, a closed terminal."""

# Search paths. An empty element in them means the current folder, and a relative one lies in it.
# OpenCV adds an empty element to LD_LIBRARY_PATH when it is imported.
_LIBRARIES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_FOLDER_LISTS = (*_LIBRARIES, "PATH", "PYTHONPATH")
_HOME = Path(__file__).resolve().parents[1]


def share_processors() -> None:
    """Let torch's threads sleep sooner while they wait for each other; before torch is imported.

    By default GNU's OpenMP, which torch brings on Linux, lets them count to 300,000 first. Where
    other programs are at work, the thread that is waited for may have no processor, and the others
    count for as long; `benchmarks.busy` measures what it costs. `GOMP_SPINCOUNT` is GNU's own
    variable, `OMP_WAIT_POLICY` the standard's (manual of libgomp, "Environment Variables"); a user
    who has set one of them is obeyed.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def child_command(*arguments: str) -> list[str]:
    """A command that runs this interpreter with arguments, and imports no module from the current
    folder or a script's folder.
    """
    return [sys.executable, "-P", *arguments]


def child_environment() -> dict[str, str]:
    """The environment for a child process. It imports from the same places as this process, and
    takes no modules, libraries or programs from the current folder.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(_import_path())}
    return {**_keep_absolute(environment, _FOLDER_LISTS), "PYTHONSAFEPATH": "1"}


def guard_children() -> None:
    """Change this process's environment likewise, for processes that a library starts."""
    names = (*_LIBRARIES, "PYTHONPATH")
    kept = _keep_absolute(os.environ, names)
    for name in names:
        if name in os.environ and os.environ[name] != kept.get(name):
            os.environ.pop(name)
            os.environ.update({name: kept[name]} if name in kept else {})
    os.environ["PYTHONSAFEPATH"] = "1"


FOUND, FAILED = "found.json", "failed.json"
"""Files in which a child of ``ask_child`` writes its result, or the ``reason`` of its failure."""


def ask_child(
    command: Sequence[str], folder: Path, seconds: float, subject: str = ""
) -> tuple[dict[str, Any] | None, str]:
    """Run a child process that writes ``FOUND`` or ``FAILED`` into a folder; it may crash.

    Args:
        command: The command, as ``child_command`` gives it.
        folder: Folder into which the child writes.
        seconds: Seconds after which the child is killed.
        subject: The beginning of the reason if the child crashes or takes too long.

    Returns:
        The content of ``FOUND`` and an empty text; or None and the reason of the failure.
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


def is_running(process: int) -> bool:
    """Whether a process of this machine with this id exists, of any user; only for POSIX."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        return True
    return True


def find_program(name: str) -> str | None:
    """The path of a program, or None; programs in the current folder are not found."""
    path = _keep_absolute(os.environ, ("PATH",)).get("PATH", "")
    return shutil.which(name, path=path) if path else None


def _import_path() -> list[str]:
    """``sys.path`` without the current folder, which ``python -m`` and ``python -c`` put first. It
    stays if this package lies in it.
    """
    return [entry for entry in sys.path if entry and not _is_current_folder(entry)]


def _is_current_folder(entry: str) -> bool:
    try:
        return Path(entry).samefile(Path.cwd()) and Path(entry).resolve() != _HOME
    except OSError:  # does not exist, such as Python's library as a zip file
        return False


def _keep_absolute(environment: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """The environment, with empty and relative elements removed from these search paths."""
    kept = dict(environment)
    for name in names:
        if name in kept:
            entries = [e for e in kept.pop(name).split(os.pathsep) if Path(e).is_absolute()]
            kept |= {name: os.pathsep.join(entries)} if entries else {}
    return kept


class Launch(NamedTuple):
    """How this process was launched, as torchrun or SLURM states it in the environment.

    Attributes:
        rank: Number of this process among all, from 0.
        processes: Number of processes.
        local_rank: Number of this process on its machine, from 0.
        local_processes: Largest number of processes on a machine.
        by: ``"torchrun"``, ``"slurm"``, or ``""`` for a single process.
    """

    rank: int = 0
    processes: int = 1
    local_rank: int = 0
    local_processes: int = 1
    by: str = ""

    @property
    def machines(self) -> int:
        """Number of machines of the run."""
        return math.ceil(self.processes / max(1, self.local_processes))

    @classmethod
    def find(cls, environment: Mapping[str, str] | None = None) -> Launch:
        """Read the launch from an environment; None for that of this process.

        In a SLURM job only a process that ``srun`` starts is one of several. A command that a batch
        script calls without ``srun`` runs once, however many tasks the job has.
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
    """A context in which only the first of several processes prints.

    Before the processes have joined, all fail alike, and only the first reports the error. A later
    UserError is raised as it is, since it may concern one process alone.

    Raises:
        SilentError: In the other processes, instead of a UserError before they have joined.
    """
    launch = Launch.find()
    if launch.rank == 0:
        yield
        return
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        try:
            yield
        except UserError as error:
            # The processes cannot have joined before torch is imported.
            if "torch" in sys.modules and count_processes() > 1:
                raise
            raise SilentError(error.exit_status) from error


_alone = ContextVar("alone", default=False)


@contextmanager
def alone() -> Iterator[None]:
    """A context in which this process counts as the only one. While each process does its own items
    it must not wait for the others, which may have fewer.
    """
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


def count_processes() -> int:
    """Number of processes that have joined; 1 without a launch."""
    import torch.distributed as dist

    if _alone.get():
        return 1
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def own_rank() -> int:
    """Number of this process among those that have joined, from 0."""
    import torch.distributed as dist

    return dist.get_rank() if count_processes() > 1 else 0


def sum_over_processes(value: Tensor) -> Tensor:
    """The sum of a tensor over all processes, without a gradient; exact for integers.

    All processes must call it, with tensors of one shape and dtype. With one process it returns the
    tensor itself.
    """
    if count_processes() == 1:
        return value
    import torch.distributed as dist

    # NCCL sums only on GPUs.
    total = value.detach().cuda() if dist.get_backend() == "nccl" else value.detach()
    total = total.clone()
    dist.all_reduce(total)
    return total.to(value.device)
