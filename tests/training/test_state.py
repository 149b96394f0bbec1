from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric.plugins import Precision

from hierseg.errors import UserError
from hierseg.models import SegmentationNetwork, create_model
from hierseg.training import WeightAverage
from hierseg.training.checkpoints import Checkpoints
from hierseg.training.state import Progress, TrainingState


def _state(network: SegmentationNetwork, progress: Progress | None = None) -> TrainingState:
    optimiser = torch.optim.SGD(network.head.parameters(), lr=0.1, momentum=0.9)
    average = WeightAverage(network, 0.5)
    return TrainingState(network, optimiser, Precision(), average, progress or Progress())


def _step(state: TrainingState) -> None:
    output = state.network(torch.rand(2, 3, 64, 64), scales=(1.0,))
    output.logits.square().mean().backward()
    state.optimiser.step()
    assert state.average is not None
    state.average.update(state.network)
    state.progress.advance(0.5)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingState, Path]:
    torch.manual_seed(0)
    state = _state(create_model("lite0-ocr-hier", 2).train(), Progress(1, 2, 5, 0.25))
    _step(state)
    checkpoints = Checkpoints(tmp_path_factory.mktemp("run") / "states", keep=2)
    return state, checkpoints.write(state.collect(), step=6, epoch=1)


def _restore(state: TrainingState, folder: Path) -> None:
    found = Checkpoints(folder, keep=2).read()
    assert found is not None
    state.restore(found[1], found[0])


def test_everything_comes_back(saved: tuple[TrainingState, Path]) -> None:
    state, path = saved
    generators: list[Callable[[], float]] = [
        lambda: float(torch.rand(1)),
        random.random,
        lambda: float(np.random.rand()),  # noqa: NPY002
    ]
    _restore(state, path.parent)
    drawn = [draw() for draw in generators]  # what the run would have drawn next
    torch.manual_seed(99)
    random.seed(99)
    np.random.seed(99)  # noqa: NPY002
    restored = _state(create_model("lite0-ocr-hier", 2).train())
    _restore(restored, path.parent)
    assert [draw() for draw in generators] == drawn
    assert restored.progress == Progress(1, 3, 6, 0.25, loss_sum=0.5)
    for name, tensor in state.network.state_dict().items():
        assert tensor.equal(restored.network.state_dict()[name]), name
    assert state.average is not None
    assert restored.average is not None
    assert restored.average.updates == 1
    for name, tensor in state.average.network.state_dict().items():
        assert tensor.equal(restored.average.network.state_dict()[name]), name
    momenta = [
        [entry["momentum_buffer"] for entry in s.optimiser.state_dict()["state"].values()]
        for s in (state, restored)
    ]
    assert len(momenta[0]) > 10
    assert all(a.equal(b) for a, b in zip(*momenta, strict=True))


def test_a_state_of_an_older_version_is_taken(
    saved: tuple[TrainingState, Path], tmp_path: Path
) -> None:
    _, path = saved
    content = torch.load(path, weights_only=True)
    (generators,) = content.pop("generators")
    content["random"], content["random_cuda"] = generators["torch"], []
    content["progress"] = {"epoch": 1, "position": 3, "step": 6, "best_miou": 0.25}
    torch.save(content, tmp_path / "last.state.pt")
    found = Checkpoints(tmp_path / "states", 2, tmp_path / "last.state.pt").read()
    assert found is not None
    restored = _state(create_model("lite0-ocr-hier", 2).train())
    restored.restore(found[1], found[0])
    assert restored.progress == Progress(1, 3, 6, 0.25)


def test_a_state_of_another_network_is_one_sentence(
    saved: tuple[TrainingState, Path],
) -> None:
    _, path = saved
    with pytest.raises(UserError, match=r"step-00000006.* does not fit.*--runtime\.out"):
        _restore(_state(create_model("lite0-ocr-hier", 5)), path.parent)
