from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from hierseg.data.sampling.blended import BlendedSampler, count_other
from hierseg.data.sampling.class_uniform import ClassUniformSampler
from hierseg.data.sampling.epochs import EpochSampler
from hierseg.data.sampling.joint import JointSampler
from hierseg.data.sampling.tiles import Int32Array


def made_up(counts: list[int], images: int) -> Int32Array:
    """Centroids, so many of each class; the row says the class."""
    rows = [[k % images, c, 100 + c, k] for c, count in enumerate(counts) for k in range(count)]
    return np.array(rows, np.int32).reshape(-1, 4)


def blend(seed: int = 0, shard: int = 0, shards: int = 1) -> BlendedSampler:
    """40 items of 50 images, half of them by class; 20 of 8 others, half of them by class."""
    own = ClassUniformSampler(50, [made_up([9, 9], 50)], 2, 0.5, (), None, seed, shard, shards, 40)
    other = ClassUniformSampler(8, [made_up([3, 0], 8)], 2, 0.5, (), None, seed, shard, shards, 20)
    return BlendedSampler(own, other, source=2)


def test_each_part_has_its_length_and_its_classes() -> None:
    draws = list(blend())
    assert len(draws) == len(blend()) == 60
    assert [draw.position for draw in draws] == list(range(60))
    counts = Counter((d.source, d.point and d.point[0] - 100) for d in draws)
    assert counts == {(0, 0): 10, (0, 1): 10, (0, None): 20, (2, 0): 10, (2, None): 10}
    assert {d.index for d in draws if d.source == 2} <= set(range(8))


def test_the_parts_are_shuffled_together() -> None:
    draws = list(blend())
    early = sum(draw.source == 2 for draw in draws[:30])
    assert 4 <= early <= 16


def test_epochs_differ_in_both_parts_and_come_again_alike() -> None:
    epochs = []
    for sampler in (blend(seed=3), blend(seed=3)):
        for epoch in (0, 1):
            sampler.set_epoch(epoch)
            torch.rand(5)
            epochs.append([(d.index, d.point, d.source) for d in sampler])
    assert epochs[:2] == epochs[2:]
    for source in (0, 2):
        first, second = ([item for item in e if item[2] == source] for e in epochs[:2])
        assert first != second
    assert [(d.index, d.point, d.source) for d in blend(seed=4)] != epochs[0]


def test_shards_are_parts_of_the_epoch() -> None:
    whole = list(blend(seed=2))
    parts = [list(blend(seed=2, shard=i, shards=3)) for i in range(3)]
    assert sorted((d for part in parts for d in part), key=lambda d: d.position) == whole


def test_an_epoch_shorter_than_its_images_has_none_twice() -> None:
    short, long = EpochSampler(9, length=5), EpochSampler(4, length=10)
    seen = set()
    for epoch in range(20):
        short.set_epoch(epoch)
        drawn = [draw.index for draw in short]
        assert len(drawn) == len(set(drawn)) == len(short) == 5
        seen |= set(drawn)
    assert seen == set(range(9))
    assert sorted(Counter(d.index for d in long).values()) == [2, 2, 3, 3]
    joint = list(JointSampler([5, 5], length=7))
    assert len({(d.source, d.index) for d in joint}) == len(joint) == 7


@pytest.mark.parametrize(
    ("length", "share", "expected"), [(367, 0.25, 91), (100, 0.29, 29), (3, 0.3, 0), (10, 0.99, 9)]
)
def test_items_of_the_other_data(length: int, share: float, expected: int) -> None:
    assert count_other(length, share) == expected
