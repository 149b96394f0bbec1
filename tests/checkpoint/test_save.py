"""Writing checkpoints."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from hierseg.checkpoint.format import read_header
from hierseg.checkpoint.load import load_model
from hierseg.checkpoint.save import save_checkpoint
from hierseg.errors import UserError
from hierseg.labels import CITYSCAPES, LabelSpace
from hierseg.models.network import SegmentationNetwork


def test_everything_a_network_needs_is_in_the_file(
    checkpoint: Path, network: SegmentationNetwork, space: LabelSpace
) -> None:
    header = read_header(checkpoint)
    assert header.format_version == 1
    assert header.builder == "hrnet_ocr"
    assert header.arguments["width"] == 2
    assert header.label_space == space
    assert header.scales == (0.5, 1.0, 2.0)
    assert header.align_corners is False
    assert header.record == {"epoch": 3}
    assert header.extra == {"temperature": 1.5}
    tensors = load_file(checkpoint)
    assert tensors.keys() == network.state_dict().keys()
    assert all(torch.equal(tensors[name], value) for name, value in network.state_dict().items())


def test_metadata_are_strict_json(
    tmp_path: Path, network: SegmentationNetwork, space: LabelSpace
) -> None:
    record = {
        "miou": float("nan"), "best": np.float32(0.5), "epochs": (np.int64(3), 4),
        "root": Path("data"), "nested": {"worst": float("-inf")},
    }  # fmt: skip
    save_checkpoint(tmp_path / "a.safetensors", network, space, record=record)
    with safe_open(tmp_path / "a.safetensors", framework="pt") as file:
        text = file.metadata()["hierseg"]

    def refuse(word: str) -> None:
        raise AssertionError(word)

    data = json.loads(text, parse_constant=refuse)
    assert data["record"] == {
        "miou": None, "best": 0.5, "epochs": [3, 4], "root": "data", "nested": {"worst": None},
    }  # fmt: skip


def test_half_precision(tmp_path: Path, network: SegmentationNetwork, space: LabelSpace) -> None:
    path = tmp_path / "half.safetensors"
    save_checkpoint(path, network, space, half=True)
    tensors = load_file(path)
    assert tensors["head.pixels.conv.weight"].dtype == torch.float16
    assert tensors["head.pixels.norm.running_var"].dtype == torch.float32
    assert tensors["head.pixels.norm.num_batches_tracked"].dtype == torch.int64
    loaded = load_model(path)
    for name, value in loaded.state_dict().items():
        if value.ndim >= 2:
            assert torch.equal(value, network.state_dict()[name].half().float()), name
            assert value.dtype == torch.float32
        else:
            assert torch.equal(value, network.state_dict()[name]), name


def test_other_tensors_and_scales(
    tmp_path: Path, network: SegmentationNetwork, space: LabelSpace
) -> None:
    averaged = {name: torch.full_like(value, 2) for name, value in network.state_dict().items()}
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, network, space, state_dict=averaged, scales=(1, 2))
    loaded = load_model(path)
    assert all((value == 2).all() for value in loaded.state_dict().values())
    assert loaded.scales == (1.0, 2.0)
    averaged.popitem()
    with pytest.raises(ValueError, match="tensors"):
        save_checkpoint(path, network, space, state_dict=averaged)
    assert load_model(path).scales == (1.0, 2.0)


def test_refuses_another_label_space(tmp_path: Path, network: SegmentationNetwork) -> None:
    with pytest.raises(
        UserError, match=r"'cityscapes' has 19 classes and the network 3, so .*a\.safe"
    ):
        save_checkpoint(tmp_path / "a.safetensors", network, CITYSCAPES)
    assert not list(tmp_path.iterdir())


def test_refuses_what_is_no_label_space(tmp_path: Path, network: SegmentationNetwork) -> None:
    with pytest.raises(UserError, match="'camvid' is not a label space"):
        save_checkpoint(tmp_path / "a.safetensors", network, "camvid")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_refuses_scales_that_loading_would(
    tmp_path: Path, network: SegmentationNetwork, space: LabelSpace
) -> None:
    with pytest.raises(UserError, match="given twice"):
        save_checkpoint(tmp_path / "a.safetensors", network, space, scales=(1, 1))


def test_refuses_a_network_that_cannot_be_built_again(
    tmp_path: Path, network: SegmentationNetwork, space: LabelSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "builder", None)
    with pytest.raises(ValueError, match="no registered builder"):
        save_checkpoint(tmp_path / "a.safetensors", network, space)


def test_a_failure_leaves_the_old_file_and_nothing_else(
    checkpoint: Path, network: SegmentationNetwork, space: LabelSpace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    import hierseg.checkpoint.save as module

    before = checkpoint.read_bytes()

    def fail(_tensors: object, path: Path, **_options: object) -> None:
        Path(path).write_bytes(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "save_file", fail)
    with pytest.raises(UserError, match=r"network\.safetensors cannot be written: no space"):
        save_checkpoint(checkpoint, network, space)
    assert checkpoint.read_bytes() == before
    assert [path.name for path in checkpoint.parent.iterdir()] == [checkpoint.name]


def test_a_missing_folder_is_named(
    tmp_path: Path, network: SegmentationNetwork, space: LabelSpace
) -> None:
    with pytest.raises(UserError, match="nowhere"):
        save_checkpoint(tmp_path / "nowhere" / "a.safetensors", network, space)


def test_others_may_read_it_as_any_file(checkpoint: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(checkpoint.stat().st_mode) == 0o666 & ~mask
