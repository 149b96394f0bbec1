"""Loading networks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

import hierseg.checkpoint.finding as finding
from hierseg.checkpoint.finding import find_weights, packaged_weights
from hierseg.checkpoint.load import load_model, open_weights
from hierseg.checkpoint.tensor_files import TensorFile
from hierseg.errors import UserError
from hierseg.labels import CITYSCAPES, LabelSpace
from hierseg.models.network import IMAGENET_MEAN, SegmentationNetwork


def _retensor(path: Path, tensors: dict[str, Tensor]) -> None:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file(tensors, path, metadata=metadata)


@torch.inference_mode()
def test_computes_the_same_ready_for_evaluation(
    checkpoint: Path, network: SegmentationNetwork
) -> None:
    loaded = load_model(str(checkpoint))
    assert not loaded.training
    assert all(not module.training for module in loaded.modules())
    image = torch.rand(1, 3, 64, 64)
    assert torch.equal(loaded(image).logits, network(image).logits)
    assert loaded.header.record == {"epoch": 3}


def test_a_run_folder_stands_for_its_best_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(UserError, match=r"run is not a run folder: it has no best\.safetensors"):
        load_model(run)
    shutil.copy(checkpoint, run / "last.safetensors")
    assert find_weights(run) == run / "last.safetensors"
    shutil.copy(checkpoint, run / "best.safetensors")
    assert find_weights(str(run)) == run / "best.safetensors"
    assert load_model(run).num_classes == 3


def test_packaged_weights(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setattr(finding, "WEIGHTS_FOLDER", folder)
    assert packaged_weights() == {}
    with pytest.raises(UserError, match="'streetlite' are not in this installation"):
        load_model()
    with pytest.raises(UserError, match="there are no weights 'streetlite'"):
        load_model("streetlite")
    shutil.copy(checkpoint, folder / "streetlite.safetensors")
    assert packaged_weights() == {"streetlite": folder / "streetlite.safetensors"}
    assert load_model().num_classes == 3
    assert load_model("streetlite").num_classes == 3
    with pytest.raises(UserError, match=r"no weights 'nothing'.*packaged weights: streetlite"):
        load_model("nothing")


def test_missing_and_unknown_tensors_are_named(checkpoint: Path) -> None:
    tensors = load_file(checkpoint)
    tensors["surplus"] = tensors.pop("head.classify.bias")
    _retensor(checkpoint, tensors)
    expected = (
        r"does not fit its network: 1 tensor is missing \(head\.classify\.bias\) and 1 tensor "
        r"is unknown \(surplus\)"
    )
    with pytest.raises(UserError, match=expected):
        load_model(checkpoint)


def test_ten_names_and_a_count(checkpoint: Path) -> None:
    tensors = load_file(checkpoint)
    removed = [name for name in sorted(tensors) if name.startswith("head.")]
    _retensor(checkpoint, {name: t for name, t in tensors.items() if name not in removed})
    with pytest.raises(UserError) as caught:
        load_model(checkpoint)
    message = str(caught.value)
    assert f"{len(removed)} tensors are missing" in message
    assert [name in message for name in removed] == [True] * 10 + [False] * (len(removed) - 10)


def test_shapes_are_named(checkpoint: Path) -> None:
    tensors = load_file(checkpoint)
    tensors["head.classify.bias"] = torch.zeros(4)
    _retensor(checkpoint, tensors)
    with pytest.raises(UserError, match=r"head\.classify\.bias \(4,\) for \(3,\)"):
        load_model(checkpoint)


def test_devices(checkpoint: Path) -> None:
    assert load_model(checkpoint, torch.device("cpu")).mean.device.type == "cpu"
    for device in ("nonsense", *([] if torch.cuda.is_available() else ["cuda"])):
        with pytest.raises(UserError, match=f"the device '{device}' is not there"):
            load_model(checkpoint, device)


@pytest.mark.parametrize("given", ["", 5])
def test_what_names_no_weights_is_refused(given: Any) -> None:
    with pytest.raises(UserError, match="names no weights; give a checkpoint file"):
        load_model(given)


@pytest.mark.parametrize("name", ["a.onnx", "a.xml", "a.PT2"])
def test_exported_graphs_are_recognised_and_left_to_engines(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"PK\x03\x04")
    weights = open_weights(path)
    assert weights.kind == "graph"
    for ask in (
        lambda: weights.container,
        lambda: weights.header,
        lambda: weights.tensors,
        lambda: weights.conventions,
        lambda: weights.statistics,
        lambda: weights.temperature,
        lambda: weights.remark,
        lambda: weights.foreign,
        lambda: weights.has_classes_of(CITYSCAPES),
        weights.build,
    ):
        with pytest.raises(UserError, match=r"is an exported graph.*needs the network's tensors"):
            ask()


def test_weights_are_read_once_and_when_they_are_asked_for(
    checkpoint: Path, space: LabelSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = open_weights(checkpoint)
    assert (weights.kind, weights.container, weights.remark) == ("checkpoint", None, None)
    assert weights.temperature == 1.5
    assert weights.has_classes_of(space)
    assert not weights.has_classes_of(CITYSCAPES)
    assert weights.conventions == {}
    assert weights.statistics is not None
    assert weights.statistics[0] == pytest.approx(IMAGENET_MEAN)
    reads: list[Path] = []
    read = TensorFile.read
    monkeypatch.setattr(
        TensorFile, "read", lambda opened: reads.append(opened.path) or read(opened)
    )
    assert weights.tensors is weights.tensors
    assert weights.build().state_dict().keys() == weights.tensors.keys()
    assert reads == [checkpoint]
