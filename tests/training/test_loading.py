from __future__ import annotations

import pytest
import torch

from hierseg.assembly.parts import build_datasets, build_transform
from hierseg.config import Experiment
from hierseg.data.sampling.epochs import EpochSampler, TrainingSamples
from hierseg.training.loading import EpochBatches, build_loader


def test_an_epoch_is_cut_into_full_batches() -> None:
    batches = EpochBatches(EpochSampler(11, seed=1), batch=4)
    assert len(batches) == 2
    first = list(batches)
    assert [len(batch) for batch in first] == [4, 4]
    assert len({draw.index for batch in first for draw in batch}) == 8
    assert [draw.position for batch in first for draw in batch] == list(range(8))
    batches.start(epoch=1)
    assert [d.index for b in batches for d in b] != [d.index for b in first for d in b]


def test_an_epoch_can_begin_anywhere() -> None:
    batches = EpochBatches(EpochSampler(11, seed=1), batch=3)
    batches.start(epoch=5)
    whole = list(batches)
    batches.start(epoch=5, position=2)
    assert list(batches) == whole[2:]
    assert len(batches) == 3  # of the whole epoch, which the schedule goes by


@pytest.mark.slow
def test_workers_change_nothing(tiny: Experiment) -> None:
    assert _epoch(tiny, workers=0).equal(_epoch(tiny, workers=2))


def test_a_loader_leaves_the_global_generator_alone(tiny: Experiment) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assert _epoch(tiny, workers=0).shape == (6, 3, 96, 96)
    assert before.equal(torch.get_rng_state())


def _epoch(experiment: Experiment, workers: int) -> torch.Tensor:
    data = build_datasets(experiment)
    transform = build_transform(experiment, data.train.label_space)
    batches = EpochBatches(EpochSampler(len(data.train), seed=1), batch=2)
    loader = build_loader(TrainingSamples(data.train, transform, seed=1), batches, workers)
    return torch.cat([batch["image"] for batch in loader])
