"""Agreement among a run's processes: who reports a failure, and what their loss is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from torch import Tensor, nn

from hierseg import distributed
from hierseg.processes import Launch, count_processes
from hierseg.training.signals import RunStopped


@contextmanager
def one_failure(launch: Launch) -> Iterator[None]:
    """Of the processes' failures only the first is reported; the other processes end silently.

    Before the processes have joined, all fail for the same reason, and the first process reports
    it. The same holds for a stop by a signal, on which all have agreed.
    """
    with distributed.one_failure(launch, "go on with --runtime.resume", (RunStopped,)):
        yield


@contextmanager
def first_of_all(fabric: Fabric) -> Iterator[None]:
    """The first process runs the block, then all others do."""
    if not fabric.is_global_zero:
        fabric.barrier()
    yield
    if fabric.is_global_zero:
        fabric.barrier()


@contextmanager
def first_on_machine(fabric: Fabric) -> Iterator[None]:
    """The first process of each machine runs the block, then the machine's others do."""
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
    """Copy the first process's buffers, such as unsynchronised norms' statistics, to all others."""
    if count_processes() > 1:
        for network in networks:
            for buffer in network.buffers():
                dist.broadcast(buffer, 0)


def leave_together() -> None:
    """Wait for the other processes and leave the group; does nothing for a single process."""
    if count_processes() > 1:
        dist.barrier()
        dist.destroy_process_group()
