"""Class-uniform sampling: a share of every epoch is crops around the classes (METHOD section 6)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
import torch
from torch import Generator

from hierseg.data.sampling.epochs import EpochSampler, Item, wrap
from hierseg.data.sampling.tiles import Int32Array
from hierseg.errors import UserError


class ClassUniformSampler(EpochSampler):
    """An epoch of as many items as the main source has images, or another number, a share of them
    class by class.

    With share u and K classes, ``floor(length * u / K)`` items of each class are drawn from its
    centroids, and the rest from all images of the main source. Draws go through a shuffled list and
    wrap round, so that every item comes up before any repeats. The items of a class without pixels
    go to the other classes, as evenly as possible.

    Args:
        images: Images of the main source.
        centroids: (N, 4) int32 of each source, the main one first: sample, train id, row, column.
        num_classes: K.
        share: u, from 0 to 1.
        lent: For each extra source, the train ids that its crops are taken for; None for all.
        extra_until: The epoch from which on the extra sources are dropped; None keeps them.
        seed: Seed of the run.
        shard: Which of the disjoint shards of the epoch this process takes.
        shards: How many there are.
        length: Items of an epoch; by default as many as the main source has images.

    Raises:
        UserError: No source has a pixel of any class.
    """

    def __init__(
        self,
        images: int,
        centroids: Sequence[Int32Array],
        num_classes: int,
        share: float,
        lent: Sequence[Iterable[int] | None] = (),
        extra_until: int | None = None,
        seed: int = 0,
        shard: int = 0,
        shards: int = 1,
        length: int | None = None,
    ) -> None:
        super().__init__(images, seed, shard, shards, length)
        self.num_classes = num_classes
        self.extra_until = extra_until
        self.per_class = count_per_class(self.length, share, num_classes)
        # The main source lends itself all classes.
        rules = [None, *lent, *[None] * (len(centroids) - 1 - len(lent))]
        self._entries = np.concatenate(
            [_label_source(*pair) for pair in enumerate(map(_select, centroids, rules))]
        )
        if not (self._entries[:, 4] == 0).any():
            raise UserError(
                "the training split has no pixel of any class; check its label maps with "
                "`hierseg check`."
            )

    def draw_items(self, generator: Generator) -> list[Item]:
        """The whole epoch, in order: the same on every process."""
        entries = self._entries
        if self.extra_until is not None and self.epoch >= self.extra_until:
            entries = entries[entries[:, 4] == 0]
        of_class = [entries[entries[:, 1] == c] for c in range(self.num_classes)]
        counts = self._share_out([len(found) for found in of_class], generator)
        items = []
        for found, count in zip(of_class, counts, strict=True):
            chosen = found[wrap(len(found), count, generator)].tolist()
            items += [Item(i, (row, column), source) for i, _, row, column, source in chosen]
        rest = wrap(self.images, self.length - len(items), generator)
        items += [Item(i) for i in rest]
        return [items[i] for i in torch.randperm(self.length, generator=generator).tolist()]

    def _share_out(self, available: Sequence[int], generator: Generator) -> list[int]:
        """Items of each class; none of a class without centroids, whose items go to the others."""
        present = [c for c, count in enumerate(available) if count]
        each, left = divmod(self.per_class * self.num_classes, len(present))
        counts = [each if count else 0 for count in available]
        order = torch.randperm(len(present), generator=generator).tolist()
        for place in order[:left]:
            counts[present[place]] += 1
        return counts


def count_per_class(length: int, share: float, num_classes: int) -> int:
    """floor(length * share / K), of the share as it is written: 100 * 0.29 is 29."""
    return math.floor(length * Fraction(str(share)) / num_classes)


def _select(entries: Int32Array, lent: Iterable[int] | None) -> Int32Array:
    return entries if lent is None else entries[np.isin(entries[:, 1], list(lent))]


def _label_source(source: int, entries: Int32Array) -> Int32Array:
    return np.concatenate([entries, np.full((len(entries), 1), source, np.int32)], axis=1)
