from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric.plugins import Precision

from hierseg.errors import UserError
from hierseg.models import SegmentationNetwork, create_model
from hierseg.training import WeightAverage
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
    state.progress.advance()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingState, Path]:
    torch.manual_seed(0)
    state = _state(create_model("lite0-ocr-hier", 2).train(), Progress(1, 2, 5, 0.25))
    _step(state)
    path = tmp_path_factory.mktemp("state") / "last.state.pt"
    state.save(path)
    return state, path


def test_everything_comes_back(saved: tuple[TrainingState, Path]) -> None:
    state, path = saved
    drawn = torch.rand(3)  # what the run would have drawn next
    torch.manual_seed(99)
    restored = _state(create_model("lite0-ocr-hier", 2).train())
    restored.restore(path)
    assert torch.rand(3).equal(drawn)
    assert restored.progress == Progress(1, 3, 6, 0.25)
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


def test_a_failed_save_leaves_the_old_state(
    saved: tuple[TrainingState, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    state, path = saved
    before = path.read_bytes()

    def fail(content: Any, file: Any) -> None:
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        state.save(path)
    assert path.read_bytes() == before


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("owned",))


@pytest.mark.parametrize("content", ["truncated", "text", "pickle", "foreign", "other network"])
def test_a_file_that_is_no_state_is_one_sentence(
    saved: tuple[TrainingState, Path],
    content: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state, good = saved
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "last.state.pt"
    if content == "truncated":
        path.write_bytes(good.read_bytes()[:5000])
    elif content == "text":
        path.write_text("hello")
    elif content == "pickle":
        torch.save({"format_version": 1, "network": _Evil()}, path)
    elif content == "foreign":
        torch.save({"state_dict": {}}, path)
    else:
        _state(create_model("lite0-ocr-hier", 5)).save(path)
    with pytest.raises(UserError, match=r"last\.state\.pt .*--runtime\.out"):
        state.restore(path)
    assert not (tmp_path / "owned").exists()
