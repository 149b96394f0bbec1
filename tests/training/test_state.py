from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric.plugins import Precision

from hierseg.errors import UserError
from hierseg.models.network import SegmentationNetwork
from hierseg.models.registry import create_model
from hierseg.training.checkpoints import Checkpoints
from hierseg.training.ema import WeightAverage
from hierseg.training.state import Progress, TrainingState, read_conventions_of
from support.hostile_pickles import BODIES, write_hostile


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


_NUMPY = ["MT19937", [0] * 624, 9999, 0, 0.0]
_WRONG: dict[str, tuple[str, Any]] = {
    "a text for an epoch": ("progress", {"epoch": "1"}),
    "a negative step": ("progress", {"step": -5}),
    "a truth for a step": ("progress", {"step": True}),
    "a step beyond all": ("progress", {"step": 10**30}),
    "no number for a sum": ("progress", {"loss_sum": [1.0]}),
    "an unknown field": ("progress", {"steps": 3}),
    "no progress": ("progress", 3),
    "a tensor of another shape": ("network", {"head.classify.bias": torch.zeros(7)}),
    "no tensor": ("network", {"head.classify.bias": "text"}),
    "no network": ("network", [1, 2]),
    "no dict of an optimiser": ("optimiser", []),
    "a text for a rate": ("optimiser", ("param_groups", 0, "lr", "fast")),
    "a nest for a rate": ("optimiser", ("param_groups", 0, "lr", [[[]]])),
    "an endless rate": ("optimiser", ("param_groups", 0, "lr", float("inf"))),
    "parameters that are none": ("optimiser", ("param_groups", 0, "params", "all")),
    "a momentum of another shape": ("optimiser", ("state", 0, "momentum_buffer", torch.zeros(9))),
    "a text for a momentum": ("optimiser", ("state", 0, "momentum_buffer", "text")),
    "no states": ("optimiser", {"state": 3}),
    "no generators": ("generators", 5),
    "a generator that is none": ("generators", [{"torch": 3}]),
    "a generator beyond its words": ("generators", ("numpy", _NUMPY)),
    "a generator of large numbers": (
        "generators",
        ("numpy", ["MT19937", [2**80] * 624, 1, 0, 0.0]),
    ),
    "a text for updates": ("average_updates", "many"),
    "no average": ("average", None),
    "a precision that is none": ("precision", {"scale": "large"}),
    "conventions that are none": ("conventions", 7),
    "arguments for conventions": ("conventions", {"width": 999}),
}


def _spoil(content: dict[str, Any], part: str, value: Any) -> None:
    if part == "optimiser" and isinstance(value, tuple):
        first, place, name, wrong = value
        content[part][first][place][name] = wrong
    elif part == "generators" and isinstance(value, tuple):
        content[part][0][value[0]] = value[1]
    elif isinstance(value, dict) and isinstance(content[part], dict):
        content[part] = {**content[part], **value}
    else:
        content[part] = value


@pytest.fixture(scope="module")
def other() -> TrainingState:
    """That of a run which refuses whatever it is given."""
    return _state(create_model("lite0-ocr-hier", 2).train())


@pytest.mark.parametrize("kind", _WRONG)
def test_a_state_of_other_types_is_one_sentence(
    kind: str, saved: tuple[TrainingState, Path], other: TrainingState, tmp_path: Path
) -> None:
    content = torch.load(saved[1], weights_only=True)
    _spoil(content, *_WRONG[kind])
    path = tmp_path / "last.state.pt"
    torch.save(content, path)
    found = Checkpoints(tmp_path / "states", 2, path).read()
    assert found is not None
    sentence = r"last\.state\.pt .*; start anew with another --runtime\.out"
    with pytest.raises(UserError, match=sentence):
        _take_over(other, found[1], found[0])


def _take_over(state: TrainingState, content: dict[str, Any], path: Path) -> None:
    """As a run that is resumed does."""
    read_conventions_of(content, path)
    state.restore(content, path)


def test_hostile_states_are_said_to_be_damaged(tmp_path: Path) -> None:
    for kind, body in BODIES.items():
        file = write_hostile(tmp_path, "zip", body).rename(tmp_path / "last.state.pt")
        checkpoints = Checkpoints(tmp_path / "states", 2, file, lambda _: None)
        with pytest.raises(UserError, match=r"start anew with another --runtime\.out"):
            raise AssertionError(f"{kind}: {checkpoints.read()}")
