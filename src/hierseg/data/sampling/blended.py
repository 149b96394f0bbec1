"""An epoch of which a share is of other data."""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from torch import Generator

from hierseg.data.sampling.epochs import EpochSampler, Item


class BlendedSampler(EpochSampler):
    """The items of one sampler and of another, shuffled together.

    Each draws its own by its own rule, class-uniform or not, at every epoch.

    Args:
        own: Of the main source and what joins it.
        other: Of the other data, which it knows as its source 0.
        source: The number of the other data among all sources.
    """

    def __init__(self, own: EpochSampler, other: EpochSampler, source: int) -> None:
        length = own.length + other.length
        super().__init__(length, own.seed, own.shard, own.shards)
        self.own, self.other, self.source = own, other, source

    def draw_items(self, generator: Generator) -> list[Item]:
        """The whole epoch, in order: the same on every process."""
        for sampler in (self.own, self.other):
            sampler.set_epoch(self.epoch)
        items = self.own.draw_items(generator)
        items += [item._replace(source=self.source) for item in self.other.draw_items(generator)]
        return [items[i] for i in torch.randperm(self.length, generator=generator).tolist()]


def count_other(length: int, share: float) -> int:
    """floor(length * share) items of other data, of the share as it is written."""
    return math.floor(length * Fraction(str(share)))
