"""Processes that work as one, joined by torch.distributed, and how they end together.

What is shared is small: counts, names, records. It goes over the CPU, whatever the processes
compute on.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

from hierseg.errors import SilentError, UserError
from hierseg.processes import Launch, count_processes, own_rank

INTERRUPTED = 130
_LOST = ("closed by peer", "reset by peer", "broken pipe", "timed out", "connection refused")
_PATIENCE = timedelta(days=7)
"""How long one waits for another that lives: shares differ. One that ends is missed at once."""
AGAIN = "the same command does what is left"

Value = TypeVar("Value")


@contextmanager
def join_processes() -> Iterator[None]:
    """Have the processes that torchrun launched work as one; a process by itself is one already.

    Each leaves once all are done. Where one fails, all end, and the first that fails says why.

    Raises:
        UserError: The processes do not find each other, or one is lost.
        SilentError: Another process has said what is wrong.
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
    """That a process does not find the first one."""
    return UserError(
        f"process {launch.rank} of {launch.processes} finds no connection to the first one "
        f"({os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}); check that it "
        "runs and that the machines reach each other."
    )


@contextmanager
def first_before_others() -> Iterator[None]:
    """What is done within is done by the first process, then by all others."""
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
    """What the first process gives, in all of them; it must be of plain Python."""
    if count_processes() == 1:
        return value
    import torch.distributed as dist

    told = [value]
    dist.broadcast_object_list(told, 0)
    return told[0]


def gather(value: Value) -> list[Value]:
    """What each process gives, by rank, in all of them; it must be of plain Python."""
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
    """Of the processes' failures the first is told, whole; the others end without a word.

    One that fails takes the others along: what they wait for does not come. Before they have
    joined, all fail for the same reason, and the first tells it.

    Args:
        launch: How this process was launched.
        again: How to go on, for the sentence about a process that is lost.
        agreed: Ends to which all have agreed, which the first process tells.
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
        # Whoever launched the processes ends all when one is gone, which looks like Ctrl-C.
        is_lost = _is_lost(error) or (isinstance(error, KeyboardInterrupt) and _misses_one(launch))
        if not is_lost:
            raise
        raise UserError(
            f"process {launch.rank} of {launch.processes} has lost another one, which ended "
            f"without a word (killed?); {again}."
        ) from error


def _speaks(launch: Launch) -> bool:
    """Whether this process is the first that fails."""
    import torch.distributed as dist

    if not dist.is_initialized():
        return launch.rank == 0
    try:
        store = dist.distributed_c10d._get_default_store()
        return bool(store.add("hierseg/failures", 1) == 1)
    except RuntimeError:
        return False  # the store went with its process, which has failed before


def _leave_trace(launch: Launch) -> None:
    """Tell the others by what number this machine knows the process."""
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
            if host == socket.gethostname() and not _lives(int(number)):
                return True
    return False


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _is_lost(error: BaseException) -> bool:
    import torch.distributed as dist

    if isinstance(error, UserError | KeyboardInterrupt):
        return False
    if isinstance(error, dist.DistBackendError | dist.DistNetworkError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in said for words in _LOST)
