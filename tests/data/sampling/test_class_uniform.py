from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from hierseg.data.augmentation.transforms import TrainingTransform, draw_corner, scale_point
from hierseg.data.base import Sample, SegmentationDataset
from hierseg.data.catalog import open_dataset
from hierseg.data.sampling.centroids import index_centroids
from hierseg.data.sampling.class_uniform import ClassUniformSampler, count_per_class
from hierseg.data.sampling.epochs import Draw, TrainingSamples, make_generator
from hierseg.data.sampling.tiles import Int32Array
from hierseg.errors import UserError
from hierseg.labels import CAMVID
from hierseg.size import Size

Writer = Callable[..., Path]


def made_up(counts: list[int], length: int = 30) -> Int32Array:
    """Centroids, so many of each class; the column says which of its class one is."""
    rows = [[k % length, c, 100 + c, k] for c, count in enumerate(counts) for k in range(count)]
    return np.array(rows, np.int32).reshape(-1, 4)


def per_class(draws: list[Draw]) -> Counter[int | None]:
    return Counter(None if draw.point is None else draw.point[0] - 100 for draw in draws)


def test_each_class_has_its_share_and_the_rest_are_images() -> None:
    sampler = ClassUniformSampler(30, [made_up([4, 1, 40])], num_classes=3, share=0.5)
    draws = list(sampler)
    assert len(draws) == len(sampler) == 30
    assert per_class(draws) == {0: 5, 1: 5, 2: 5, None: 15}
    assert [draw.position for draw in draws] == list(range(30))


def test_every_item_comes_up_before_any_repeats() -> None:
    sampler = ClassUniformSampler(30, [made_up([4, 1, 40])], num_classes=3, share=0.8)
    for epoch in range(20):
        sampler.set_epoch(epoch)
        draws = list(sampler)
        of_first = Counter(d.point[1] for d in draws if d.point and d.point[0] == 100)
        assert sorted(of_first.values()) == [2, 2, 2, 2]
        of_last = [d.point for d in draws if d.point and d.point[0] == 102]
        assert len(set(of_last)) == len(of_last) == 8
        images = [d.index for d in draws if d.point is None]
        assert len(set(images)) == len(images) == 6


def test_a_class_without_pixels_hands_its_share_on() -> None:
    # Of 4 classes 7 items each; the 14 of two absent ones go to the others, 7 to each.
    sampler = ClassUniformSampler(60, [made_up([9, 0, 9, 0])], num_classes=4, share=0.5)
    assert per_class(list(sampler)) == {0: 14, 2: 14, None: 32}
    # Three classes share what does not divide: nothing is lost, and not always to the same ones.
    sampler = ClassUniformSampler(60, [made_up([9, 9, 9, 0])], num_classes=4, share=0.5)
    most = set()
    for epoch in range(20):
        sampler.set_epoch(epoch)
        counts = per_class(list(sampler))
        assert counts.pop(None) == 32
        assert sorted(counts.values()) == [9, 9, 10]
        most.add(max(counts, key=lambda c: counts[c]))
    assert most == {0, 1, 2}


@pytest.mark.parametrize(
    ("length", "share", "classes", "expected"),
    [(2975, 0.5, 19, 78), (367, 0.5, 11, 16), (100, 0.29, 1, 29), (10, 0.0, 3, 0), (5, 1.0, 5, 1)],
)
def test_items_of_a_class(length: int, share: float, classes: int, expected: int) -> None:
    assert count_per_class(length, share, classes) == expected


def test_an_epoch_is_of_seed_and_epoch_alone() -> None:
    def epoch(number: int, seed: int) -> list[Draw]:
        sampler = ClassUniformSampler(30, [made_up([4, 9, 40])], 3, 0.5, seed=seed)
        sampler.set_epoch(number)
        torch.rand(3)
        return list(sampler)

    assert epoch(3, 1) == epoch(3, 1)
    items = [[(d.index, d.point) for d in epoch(*which)] for which in ((3, 1), (4, 1), (3, 2))]
    assert items[0] != items[1]
    assert items[0] != items[2]


def test_class_items_are_spread_over_the_epoch() -> None:
    draws = list(ClassUniformSampler(400, [made_up([300, 300])], 2, 0.5))
    first_half = sum(draw.point is not None for draw in draws[:200])
    assert 70 < first_half < 130


def test_extra_sources_lend_boosted_classes_until_an_epoch() -> None:
    main, extra = made_up([2, 0, 2]), made_up([50, 50, 50], length=500)
    sampler = ClassUniformSampler(60, [main, extra], 3, 0.5, lent=[{1, 2}], extra_until=2)
    for epoch in range(4):
        sampler.set_epoch(epoch)
        draws = list(sampler)
        lent = [draw for draw in draws if draw.source == 1]
        classes = {draw.point[0] - 100 for draw in lent if draw.point}
        assert len(draws) == 60
        assert all(d.index < 30 for d in draws if d.source == 0 and d.point)
        if epoch < 2:
            assert classes == {1, 2}
            assert per_class(draws) == {0: 10, 1: 10, 2: 10, None: 30}
        else:
            assert not lent
            assert per_class(draws) == {0: 15, 2: 15, None: 30}
        assert all(d.source == 0 for d in draws if d.point is None)


def test_a_source_without_rule_lends_all() -> None:
    sampler = ClassUniformSampler(60, [made_up([1, 0]), made_up([0, 9])], 2, 0.5)
    assert {d.source for d in sampler if d.point} == {0, 1}


def test_a_split_of_ignored_pixels_is_refused() -> None:
    with pytest.raises(UserError, match=r"no pixel of any class.*hierseg check"):
        ClassUniformSampler(5, [made_up([])], 3, 0.5)


def test_a_sample_is_read_from_its_source(write_image: Writer, write_labels: Writer) -> None:
    def source(name: str, label: int) -> SegmentationDataset:
        pair = write_image(f"{name}.png"), write_labels(f"{name}l.png", label)
        return SegmentationDataset(name, "train", CAMVID, [Sample(name, *pair)])

    transform = TrainingTransform(Size(8, 8), 1.0, 1.0)
    samples = TrainingSamples(source("main", 3), transform, extra=[source("extra", 7)])
    main, extra = samples[Draw(0, 0, 0)], samples[Draw(0, 0, 1, (2, 3), source=1)]
    assert (main["name"], extra["name"]) == ("main", "extra")
    assert main["labels"].unique().tolist() == [3]
    assert extra["labels"].unique().tolist() == [7]
    unlabelled = SegmentationDataset("x", "odd", CAMVID, [Sample("x", Path("x.png"))])
    with pytest.raises(UserError, match="'odd' of x"):
        TrainingSamples(samples.dataset, transform, extra=[unlabelled])


@pytest.fixture(scope="module")
def camvid(camvid_dir: Path) -> tuple[SegmentationDataset, Int32Array]:
    dataset = open_dataset("camvid", camvid_dir, "train")
    return dataset, index_centroids(dataset, 128)


def test_camvid_over_200_epochs(camvid: tuple[SegmentationDataset, Int32Array]) -> None:
    dataset, centroids = camvid
    labelled = {(i, row, column): c for i, c, row, column in centroids.tolist()}
    sampler = ClassUniformSampler(len(dataset), [centroids], 11, 0.5, seed=4)
    halves = [
        ClassUniformSampler(len(dataset), [centroids], 11, 0.5, seed=4, shard=s, shards=2)
        for s in range(2)
    ]
    seen: set[int] = set()
    for epoch in range(200):
        for each in (sampler, *halves):
            each.set_epoch(epoch)
        draws = list(sampler)
        points = [(d.index, *d.point) for d in draws if d.point is not None]
        assert len(points) == 11 * 16  # 11 * floor(367 * 0.5 / 11)
        assert all(point in labelled for point in points)
        seen |= {draw.index for draw in draws}
        parts = [list(half) for half in halves]
        assert not set(parts[0]) & set(parts[1])
        assert sorted(parts[0] + parts[1], key=lambda d: d.position) == draws
    assert seen == set(range(367))


def test_ten_thousand_crops_contain_their_points(
    camvid: tuple[SegmentationDataset, Int32Array],
) -> None:
    _, centroids = camvid
    original, crop = Size(360, 480), Size(352, 480)
    for number in range(10_000):
        generator = make_generator(0, 1, number)
        _, _, row, column = centroids[number % len(centroids)].tolist()
        factor = 0.5 + 1.5 * float(torch.rand((), generator=generator))
        size = Size(int(360 * factor), int(480 * factor))
        point = scale_point((row, column), original, size)
        corner = draw_corner(size, crop, generator, point)
        for axis in range(2):
            assert corner[axis] <= point[axis] < corner[axis] + crop[axis]
            slack = size[axis] - crop[axis]
            assert min(0, slack) <= corner[axis] <= max(0, slack)
