from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from hierseg.data.augmentation.transforms import TrainingTransform
from hierseg.data.base import Sample, SegmentationDataset
from hierseg.data.reading import DataError
from hierseg.data.sampling.epochs import Draw, EpochSampler, TrainingSamples, make_generator
from hierseg.errors import UserError
from hierseg.labels import CAMVID
from hierseg.size import Size

Writer = Callable[..., Path]

TRANSFORM = TrainingTransform(Size(24, 32))


@pytest.fixture
def dataset(write_image: Writer, write_labels: Writer) -> SegmentationDataset:
    samples = [
        Sample(
            str(i), write_image(f"{i}.png", (30, 40)), write_labels(f"l{i}.png", i % 12, (30, 40))
        )
        for i in range(7)
    ]
    return SegmentationDataset("camvid", "train", CAMVID, samples)


def test_an_epoch_takes_every_index_once_in_a_new_order() -> None:
    sampler = EpochSampler(50, seed=3)
    epochs = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        draws = list(sampler)
        assert sorted(d.index for d in draws) == list(range(50))
        assert [d.position for d in draws] == list(range(50))
        assert {d.epoch for d in draws} == {epoch}
        assert all(d.point is None for d in draws)
        epochs.append([d.index for d in draws])
    assert epochs[0] == epochs[2] != epochs[1]
    assert epochs[0] != list(range(50))
    assert [d.index for d in EpochSampler(50, seed=4)] != epochs[0]
    assert len(sampler) == 50


def test_shards_are_disjoint_and_make_up_the_epoch() -> None:
    whole = list(EpochSampler(11, seed=1))
    shards = [EpochSampler(11, seed=1, shard=i, shards=3) for i in range(3)]
    assert [len(s) for s in shards] == [len(list(s)) for s in shards] == [4, 4, 3]
    assert sorted((d for s in shards for d in s), key=lambda d: d.position) == whole


def test_a_sample_has_the_crop_size_and_train_ids(dataset: SegmentationDataset) -> None:
    samples = TrainingSamples(dataset, TRANSFORM, seed=0)
    assert len(samples) == 7
    sample = samples[Draw(0, 2, 0)]
    assert sample["name"] == "2"
    assert sample["image"].shape == (3, 24, 32)
    assert sample["image"].dtype == torch.uint8
    assert sample["labels"].shape == (24, 32)
    assert sample["labels"].dtype == torch.int64
    assert set(sample["labels"].unique().tolist()) <= {2, 255}
    assert type(sample["image"]) is type(sample["labels"]) is torch.Tensor


def test_randomness_is_of_seed_epoch_and_position_alone(dataset: SegmentationDataset) -> None:
    samples = TrainingSamples(dataset, TRANSFORM, seed=0)
    first = samples[Draw(1, 3, 5)]["image"]
    samples[Draw(1, 4, 6)]
    torch.manual_seed(77)
    assert torch.equal(samples[Draw(1, 3, 5)]["image"], first)
    assert torch.equal(TrainingSamples(dataset, TRANSFORM, 0)[Draw(1, 3, 5)]["image"], first)
    for other, draw in ((0, Draw(2, 3, 5)), (0, Draw(1, 3, 6)), (1, Draw(1, 3, 5))):
        assert not torch.equal(TrainingSamples(dataset, TRANSFORM, other)[draw]["image"], first)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_nothing(dataset: SegmentationDataset, workers: int) -> None:
    samples = TrainingSamples(dataset, TRANSFORM, seed=0)
    batches = [
        list(DataLoader(samples, 2, sampler=EpochSampler(7), num_workers=count))
        for count in (0, workers)
    ]
    for here, there in zip(*batches, strict=True):
        assert here["name"] == there["name"]
        assert torch.equal(here["image"], there["image"])
        assert torch.equal(here["labels"], there["labels"])


def test_a_point_reaches_the_crop(write_image: Writer, write_labels: Writer) -> None:
    ids = np.zeros((200, 200), np.uint8)
    ids[150:156, 20:26] = 5
    sample = Sample("a", write_image("a.png", (200, 200)), write_labels("l.png", ids))
    dataset = SegmentationDataset("camvid", "train", CAMVID, [sample])
    samples = TrainingSamples(dataset, TRANSFORM, seed=0)
    for position in range(40):
        assert (samples[Draw(0, 0, position, (152, 22))]["labels"] == 5).any()
    assert not all((samples[Draw(0, 0, p)]["labels"] == 5).any() for p in range(40))


def test_generators_of_different_numbers_differ() -> None:
    def first(*numbers: int) -> float:
        return float(torch.rand((), generator=make_generator(*numbers), dtype=torch.float64))

    triples = [(a, b, c) for a in range(4) for b in range(4) for c in range(4)]
    assert len({first(*t) for t in triples}) == 64
    assert first(1, 2, 3) == first(1, 2, 3)


def test_a_split_without_labels_cannot_be_trained_on(
    dataset: SegmentationDataset,
) -> None:
    dataset.samples[3] = Sample("x", dataset.samples[3].image)
    with pytest.raises(UserError, match=r"'train' of camvid .*--data\.train-split"):
        TrainingSamples(dataset, TRANSFORM)


def test_a_wrong_id_stops_the_loader_with_one_sentence(
    dataset: SegmentationDataset, write_labels: Writer
) -> None:
    write_labels("l4.png", 200, (30, 40))
    loader = DataLoader(
        TrainingSamples(dataset, TRANSFORM), 2, sampler=EpochSampler(7), num_workers=1
    )
    batches = iter(loader)
    with pytest.raises(DataError, match=r"^'[^\n]*l4\.png' [^\n]* 200 [^\n]*\.$"):
        list(batches)
    batches._shutdown_workers()  # left to the garbage collector it takes five seconds
