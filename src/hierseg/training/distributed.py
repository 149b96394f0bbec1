"""What the processes of a run agree on: who speaks of a failure, what counts as their loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from torch import Tensor, nn

from hierseg.errors import SilentError, UserError
from hierseg.processes import Launch, count_processes
from hierseg.training.signals import RunStopped

INTERRUPTED = 130
_LOST = ("closed by peer", "reset by peer", "broken pipe", "timed out", "connection refused")


@contextmanager
def one_failure(launch: Launch) -> Iterator[None]:
    """Of the processes' failures the first is told, whole; the others end without a word.

    One that fails takes the others along: what they wait for does not come. Before they have
    joined, all fail for the same reason, and the first tells it; so it does of a signal's end, to
    which all have agreed.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if launch.processes == 1:
            raise
        status = error.exit_status if isinstance(error, UserError) else 1
        if isinstance(error, KeyboardInterrupt):
            status = INTERRUPTED
        is_agreed = isinstance(error, RunStopped)
        if not (launch.rank == 0 if is_agreed else _speaks(launch)):
            raise SilentError(status) from error
        if isinstance(error, UserError | KeyboardInterrupt) or not _is_lost(error):
            raise
        raise UserError(
            f"process {launch.rank} of {launch.processes} has lost another one, which ended "
            "without a word (killed?); go on with --runtime.resume."
        ) from error


def _speaks(launch: Launch) -> bool:
    """Whether this process is the first that fails."""
    if not dist.is_initialized():
        return launch.rank == 0
    try:
        store = dist.distributed_c10d._get_default_store()
        return bool(store.add("hierseg/failures", 1) == 1)
    except RuntimeError:
        return False  # the store went with its process, which has failed before


def _is_lost(error: BaseException) -> bool:
    if isinstance(error, dist.DistBackendError | dist.DistNetworkError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in said for words in _LOST)


@contextmanager
def first_of_all(fabric: Fabric) -> Iterator[None]:
    """What is done within is done by the first process, then by all others."""
    if not fabric.is_global_zero:
        fabric.barrier()
    yield
    if fabric.is_global_zero:
        fabric.barrier()


@contextmanager
def first_on_machine(fabric: Fabric) -> Iterator[None]:
    """What is done within is done by the first process of each machine, then by its others."""
    if fabric.local_rank > 0:
        fabric.barrier()
    yield
    if fabric.local_rank == 0:
        fabric.barrier()


def mean_over_processes(losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The named losses, detached; of several processes their mean, which is the loss."""
    detached = {name: value.detach() for name, value in losses.items()}
    processes = count_processes()
    if processes == 1:
        return detached
    together = torch.stack(list(detached.values()))
    dist.all_reduce(together)
    return dict(zip(detached, together / processes, strict=True))


def share_buffers(*networks: nn.Module) -> None:
    """Give all processes the first one's buffers: norms' statistics that are not synchronised."""
    if count_processes() > 1:
        for network in networks:
            for buffer in network.buffers():
                dist.broadcast(buffer, 0)


def leave_together() -> None:
    """Wait for the others and part; nothing where there are none."""
    if count_processes() > 1:
        dist.barrier()
        dist.destroy_process_group()
