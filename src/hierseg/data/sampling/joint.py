"""An epoch that takes each image of several sources once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator

from hierseg.data.sampling.epochs import EpochSampler, Item


class JointSampler(EpochSampler):
    """Every image of the main source and of the extra ones once an epoch, shuffled together.

    From epoch ``extra_until`` on the extra sources are dropped (METHOD section 6). Epochs keep
    their length, on which the schedule depends: images of the main source then come up several
    times, each once before any comes up again.

    Args:
        lengths: Images of each source, the main one first.
        extra_until: The epoch from which on the extra sources are dropped; None keeps them.
        seed: Seed of the run.
        shard: Which of the disjoint shards of the epoch this process takes.
        shards: How many there are.
        length: Items of an epoch, no more than all images; by default as many.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        extra_until: int | None = None,
        seed: int = 0,
        shard: int = 0,
        shards: int = 1,
        length: int | None = None,
    ) -> None:
        super().__init__(sum(lengths), seed, shard, shards, length)
        self.lengths = tuple(lengths)
        self.extra_until = extra_until

    def draw_items(self, generator: Generator) -> list[Item]:
        """The whole epoch, in order: the same on every process."""
        if self.extra_until is None or self.epoch < self.extra_until:
            numbers = enumerate(self.lengths)
            items = [Item(i, None, source) for source, n in numbers for i in range(n)]
        else:
            order = torch.randperm(self.lengths[0], generator=generator).tolist()
            items = [Item(order[i % len(order)]) for i in range(self.images)]
        order = torch.randperm(self.images, generator=generator).tolist()
        return [items[i] for i in order[: self.length]]
