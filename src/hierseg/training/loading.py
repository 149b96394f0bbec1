"""Batches of training samples, epoch by epoch, from any position within an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from hierseg.assembly import Datasets
from hierseg.config import Experiment
from hierseg.data import (
    BlendedSampler,
    ClassUniformSampler,
    Draw,
    EpochSampler,
    Int32Array,
    JointSampler,
    TrainingSamples,
    count_other,
    end_workers,
    prepare_worker,
)
from hierseg.processes import count_processes, own_rank


def build_sampler(
    experiment: Experiment, data: Datasets, centroids: Sequence[Int32Array]
) -> EpochSampler:
    """The sampler of an epoch: every image of all sources once, or class-uniform crops (METHOD
    section 6); a share of either may be of another data set.

    ``centroids`` are those of the training split, then those of ``data.further`` in order.
    """
    settings = experiment.data
    joined = 0 if settings.class_uniform else sum(map(len, data.extra))
    length = len(data.train) + joined
    if data.also is None:
        return _build_own(experiment, data, centroids, length)
    *own, others = centroids
    count = count_other(length, settings.also_share)
    alone = Datasets(data.also, data.val)
    return BlendedSampler(
        _build_own(experiment, data, own, length - count),
        _build_own(experiment, alone, [others], count),
        source=len(own),
    )


def _build_own(
    experiment: Experiment, data: Datasets, centroids: Sequence[Int32Array], length: int
) -> EpochSampler:
    """The sampler of ``length`` items of the training split and its extra sources."""
    settings, seed = experiment.data, experiment.runtime.seed
    shard, shards = own_rank(), count_processes()
    if settings.class_uniform == 0:
        if data.extra:
            lengths = [len(source) for source in (data.train, *data.extra)]
            return JointSampler(lengths, settings.extra_until, seed, shard, shards, length)
        return EpochSampler(len(data.train), seed, shard, shards, length)
    return ClassUniformSampler(
        len(data.train),
        centroids,
        data.train.label_space.num_classes,
        settings.class_uniform,
        lent=[source.boosted_classes for source in data.extra],
        extra_until=settings.extra_until,
        seed=seed,
        shard=shard,
        shards=shards,
        length=length,
    )


class EpochBatches(Sampler[list[Draw]]):
    """Cuts an epoch's draws into full batches; a remainder at the end is dropped.

    Each process takes its shard of the draws, and all have as many batches. The processes' batches
    of one number together are the batch that a single process would take.

    Args:
        sampler: Yields an epoch's draws, or a shard of them.
        batch: Images in a batch of each process.
    """

    def __init__(self, sampler: EpochSampler, batch: int) -> None:
        self.draws = sampler
        self.batch = batch
        self.epoch = 0
        self.position = 0
        self.limit: int | None = None

    def __len__(self) -> int:
        """Number of batches in an epoch, at most ``limit``."""
        batches = self.draws.length // (self.draws.shards * self.batch)
        return batches if self.limit is None else min(self.limit, batches)

    def start(self, epoch: int, position: int = 0) -> None:
        """Make the next pass yield this epoch's batches from number ``position`` on."""
        self.epoch, self.position = epoch, position

    def __iter__(self) -> Iterator[list[Draw]]:
        self.draws.set_epoch(self.epoch)
        draws = list(self.draws)
        for index in range(self.position, len(self)):
            yield draws[index * self.batch : (index + 1) * self.batch]


def build_loader(
    samples: TrainingSamples, batches: EpochBatches, workers: int, pin_memory: bool = False
) -> DataLoader[dict[str, Any]]:
    """A loader whose workers last through the whole run.

    It has its own random generator, so that starting an epoch does not draw from the global one. So
    a resumed run has the same dropout as an uninterrupted one.
    """
    return DataLoader(
        samples,
        batch_sampler=batches,
        num_workers=workers,
        persistent_workers=workers > 0,
        worker_init_fn=prepare_worker,
        pin_memory=pin_memory,
        generator=torch.Generator().manual_seed(samples.seed),
    )


def close_loader(loader: DataLoader[Any], is_stuck: bool = False) -> None:
    """End the loader's processes; at once if they are known not to respond."""
    iterator: Any = loader._iterator
    if iterator is not None and loader.num_workers > 0:
        end_workers(iterator, is_stuck)
