"""Which samples an epoch takes, and the training samples themselves.

A sample's randomness comes from (seed, epoch, position) and nothing else: not from the worker that
makes it, nor from those made before. A resumed run draws what the run itself would have drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset, Sampler

from hierseg.data.augmentation.transforms import Point, TrainingTransform
from hierseg.data.base import SegmentationDataset
from hierseg.errors import UserError

SHUFFLE = 2**32 - 1  # stands where a position would, for the randomness of a whole epoch


class Draw(NamedTuple):
    """One item of an epoch.

    Attributes:
        epoch: The epoch, from 0.
        index: Index of the sample in its data set.
        position: Place in the epoch, over all processes.
        point: Row and column of a pixel that the crop must contain, None for any crop.
        source: 0 for the main source, from 1 on for the extra ones in their order.
    """

    epoch: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which no draw needs
    position: int
    point: Point | None = None
    source: int = 0


class Item(NamedTuple):
    """What an epoch takes, before it has a place in it; fields as in ``Draw``."""

    number: int
    point: Point | None = None
    source: int = 0


class EpochSampler(Sampler[Draw]):
    """Every index once an epoch, shuffled by (seed, epoch).

    Args:
        images: Number of samples of the data set.
        seed: Seed of the run.
        shard: Which of the disjoint shards of the epoch this process takes.
        shards: How many there are.
        length: Items of an epoch; by default as many as there are images. Of fewer, every image
            comes up at most once; of more, all do before any repeats.
    """

    def __init__(
        self,
        images: int,
        seed: int = 0,
        shard: int = 0,
        shards: int = 1,
        length: int | None = None,
    ) -> None:
        self.images = images
        self.length = images if length is None else length
        self.seed = seed
        self.shard = shard
        self.shards = shards
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration draws."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(range(self.shard, self.length, self.shards))

    def __iter__(self) -> Iterator[Draw]:
        items = self.draw_items(make_generator(self.seed, self.epoch, SHUFFLE))
        for position in range(self.shard, self.length, self.shards):
            item = items[position]
            yield Draw(self.epoch, item.number, position, item.point, item.source)

    def draw_items(self, generator: Generator) -> list[Item]:
        """The whole epoch, in order: the same on every process."""
        return [Item(i) for i in wrap(self.images, self.length, generator)]


class TrainingSamples(Dataset[dict[str, Any]]):
    """Augmented samples of a labelled data set, by ``Draw``.

    Args:
        dataset: Every sample has a label map.
        transform: The augmentation.
        seed: Seed of the run.
        extra: Extra sources, of the same classes.
    """

    def __init__(
        self,
        dataset: SegmentationDataset,
        transform: TrainingTransform,
        seed: int = 0,
        extra: Sequence[SegmentationDataset] = (),
    ) -> None:
        for source in (dataset, *extra):
            if not source.has_labels:
                raise UserError(
                    f"split '{source.split}' of {source.name} has images without label maps; "
                    "choose another with --data.train-split."
                )
        self.dataset = dataset
        self.sources = [dataset, *extra]
        self.transform = transform
        self.seed = seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, draw: Draw) -> dict[str, Any]:
        """``image`` (3, h, w) uint8 RGB, ``labels`` (h, w) int64 train ids or ignore, ``name``."""
        record = self.sources[draw.source].read(draw.index)
        assert record.labels is not None  # has_labels
        image, labels = self.transform(
            torch.from_numpy(record.image).permute(2, 0, 1),
            torch.from_numpy(record.labels),
            make_generator(self.seed, draw.epoch, draw.position),
            draw.point,
        )
        return {
            "image": image.as_subclass(Tensor),
            "labels": labels.as_subclass(Tensor).long(),
            "name": record.name,
        }


def wrap(available: int, count: int, generator: Generator) -> list[int]:
    """So many numbers below ``available``: all of them in random order, and again in that order."""
    if count == 0:
        return []
    order = torch.randperm(available, generator=generator).tolist()
    return [order[i % available] for i in range(count)]


def make_generator(seed: int, epoch: int, position: int) -> Generator:
    """A generator whose stream depends on these three numbers alone; none may be negative."""
    mixed = np.random.SeedSequence([seed, epoch, position]).generate_state(1, np.uint64)
    generator = torch.Generator()
    generator.manual_seed(int(mixed[0] >> np.uint64(1)))
    return generator
