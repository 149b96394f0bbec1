"""Joins the processes of a run by torch.distributed, exchanges values, and ends them together.

The values are small: counts, names, records. They are exchanged on the CPU, on whatever device the
processes compute.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

from hierseg.errors import SilentError, UserError
from hierseg.processes import Launch, count_processes, is_running, own_rank

INTERRUPTED = 130
_LOST = ("closed by peer", "reset by peer", "broken pipe", "timed out", "connection refused")
_PATIENCE = timedelta(days=7)
"""How long a process waits for another: shares may differ by days. The end of a process is noticed
at once."""
AGAIN = "run the same command again to do what is left"

Value = TypeVar("Value")


@contextmanager
def join_processes() -> Iterator[None]:
    """A context that joins the processes that torchrun launched; a single process is left as it is.

    A process leaves the context when all are done. If one fails, all end, and the first that fails
    reports why.

    Raises:
        UserError: The processes cannot reach each other, or one is lost.
        SilentError: Another process reports the error.
    """
    launch = Launch.find()
    if launch.by != "torchrun" or launch.processes == 1 or count_processes() > 1:
        yield
        return
    import torch.distributed as dist

    with one_failure(launch, AGAIN):
        try:
            dist.init_process_group("gloo", timeout=_PATIENCE)
        except dist.DistError as error:
            raise describe_unreached(launch) from error
        _leave_trace(launch)
        yield
        dist.barrier()
        dist.destroy_process_group()


def describe_unreached(launch: Launch) -> UserError:
    """The error for a process that cannot reach the first one."""
    return UserError(
        f"process {launch.rank} of {launch.processes} cannot connect to the first one "
        f"({os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}); check that it "
        "runs and that the machines reach each other."
    )


@contextmanager
def first_before_others() -> Iterator[None]:
    """A context that the first process runs before all others run it."""
    if count_processes() > 1:
        import torch.distributed as dist

        if own_rank() > 0:
            dist.barrier()
        yield
        if own_rank() == 0:
            dist.barrier()
        return
    yield


def tell_all(value: Value) -> Value:
    """The first process's value, in all processes; it must be picklable."""
    if count_processes() == 1:
        return value
    import torch.distributed as dist

    told = [value]
    dist.broadcast_object_list(told, 0)
    return told[0]


def gather(value: Value) -> list[Value]:
    """The values of all processes, by rank, in each process; they must be picklable."""
    if count_processes() == 1:
        return [value]
    import torch.distributed as dist

    found: list[Any] = [None] * count_processes()
    dist.all_gather_object(found, value)
    return found


@contextmanager
def one_failure(
    launch: Launch, again: str, agreed: tuple[type[BaseException], ...] = ()
) -> Iterator[None]:
    """A context that reports the first failure among the processes; the others end silently.

    If one process fails, the others fail too, since they wait for it in vain. Before they have
    joined, all fail for the same reason, and the first process reports it.

    Args:
        launch: How this process was launched.
        again: How to continue, for the message about a lost process.
        agreed: Exceptions that all processes raise together; the first process reports them.

    Raises:
        SilentError: Another process reports the error.
        UserError: Another process is lost.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if launch.processes == 1:
            raise
        status = error.exit_status if isinstance(error, UserError) else 1
        if isinstance(error, KeyboardInterrupt):
            status = INTERRUPTED
        if not (launch.rank == 0 if isinstance(error, agreed) else _speaks(launch)):
            raise SilentError(status) from error
        # torchrun ends all processes when one is gone, which looks like Ctrl-C.
        is_lost = _is_lost(error) or (isinstance(error, KeyboardInterrupt) and _misses_one(launch))
        if not is_lost:
            raise
        raise UserError(
            f"process {launch.rank} of {launch.processes} has lost another one, which ended "
            f"without a message (killed?); {again}."
        ) from error


def _speaks(launch: Launch) -> bool:
    """Whether this process is the first to fail, and so reports the error."""
    import torch.distributed as dist

    if not dist.is_initialized():
        return launch.rank == 0
    try:
        store = dist.distributed_c10d._get_default_store()
        return bool(store.add("hierseg/failures", 1) == 1)
    except RuntimeError:
        return False  # the store is gone with the first process, which has failed before


def _leave_trace(launch: Launch) -> None:
    """Store this process's id and host for the other processes."""
    import torch.distributed as dist

    store = dist.distributed_c10d._get_default_store()
    store.set(f"hierseg/process/{launch.rank}", f"{os.getpid()} {socket.gethostname()}")


def _misses_one(launch: Launch) -> bool:
    """Whether another process of this machine is gone."""
    import torch.distributed as dist

    if not dist.is_initialized() or os.name != "posix":
        return False
    with suppress(RuntimeError):
        store = dist.distributed_c10d._get_default_store()
        for rank in range(launch.processes):
            if not store.check([f"hierseg/process/{rank}"]):
                continue
            number, _, host = store.get(f"hierseg/process/{rank}").decode().partition(" ")
            if host == socket.gethostname() and not is_running(int(number)):
                return True
    return False


def _is_lost(error: BaseException) -> bool:
    import torch.distributed as dist

    if isinstance(error, UserError | KeyboardInterrupt):
        return False
    if isinstance(error, dist.DistBackendError | dist.DistNetworkError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in said for words in _LOST)
