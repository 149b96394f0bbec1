"""Batches of training samples, epoch by epoch, from any position within an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Sampler

from hierseg.data import Draw, EpochSampler, TrainingSamples


class EpochBatches(Sampler[list[Draw]]):
    """Cuts an epoch's draws into full batches; what is left over at the end is dropped.

    Args:
        sampler: Yields an epoch's draws.
        batch: Draws a batch.
    """

    def __init__(self, sampler: EpochSampler, batch: int) -> None:
        self.draws = sampler
        self.batch = batch
        self.epoch = 0
        self.position = 0

    def __len__(self) -> int:
        """Batches in a whole epoch."""
        return len(self.draws) // self.batch

    def start(self, epoch: int, position: int = 0) -> None:
        """Let the next pass give this epoch's batches from number ``position`` on."""
        self.epoch, self.position = epoch, position

    def __iter__(self) -> Iterator[list[Draw]]:
        self.draws.set_epoch(self.epoch)
        draws = list(self.draws)
        for index in range(self.position, len(self)):
            yield draws[index * self.batch : (index + 1) * self.batch]


def _prepare_worker(_worker: int) -> None:
    # A worker is one of several processes beside the network's own threads.
    cv2.setNumThreads(0)


def build_loader(
    samples: TrainingSamples, batches: EpochBatches, workers: int, pin_memory: bool = False
) -> DataLoader[dict[str, Any]]:
    """A loader whose workers live through the whole run.

    It has a generator of its own, so that starting an epoch does not draw from the global one and
    a resumed run sees the same dropout as one that was not interrupted.
    """
    return DataLoader(
        samples,
        batch_sampler=batches,
        num_workers=workers,
        persistent_workers=workers > 0,
        worker_init_fn=_prepare_worker,
        pin_memory=pin_memory,
        generator=torch.Generator(),
    )
