"""What the processes of a run agree on: who speaks of a failure, what counts as their loss."""

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
    """Of the processes' failures the first is told, whole; the others end without a word.

    Before they have joined, all fail for the same reason, and the first tells it; so it does of a
    signal's end, to which all have agreed.
    """
    with distributed.one_failure(launch, "go on with --runtime.resume", (RunStopped,)):
        yield


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
