"""mmsegmentation's OCRNet on HRNet, by files made of its names.

The names and shapes below are written out from its documentation's configuration files, apart from
the table that is tested.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hierseg import cli
from hierseg.checkpoint.format import read_header
from hierseg.checkpoint.load import load_model, open_weights
from hierseg.labels import CITYSCAPES
from hierseg.models.registry import create_model
from parity.rule import value_of
from support.published_files import (
    narrow_network,
    published_tensors,
    read_published,
    write_mmsegmentation,
)

KIND = "mmsegmentation-hrnet-ocr"
VOC = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip


def _norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (channels,) for part in parts} | {f"{name}.num_batches_tracked": ()}


def _conv_module(name: str, source: int, target: int, side: int = 1) -> dict[str, tuple[int, ...]]:
    """mmcv's ConvModule: no bias where a norm follows."""
    return {f"{name}.conv.weight": (target, source, side, side), **_norm(f"{name}.bn", target)}


def head_shapes(width: int, classes: int, channels: int, keys: int) -> dict[str, tuple[int, ...]]:
    """What its FCN head and its OCR head hold, by name."""
    joined = 15 * width
    block = "decode_head.1.object_context_block"
    return {
        "decode_head.0.conv_seg.weight": (classes, joined, 1, 1),
        "decode_head.0.conv_seg.bias": (classes,),
        **_conv_module("decode_head.0.convs.0", joined, joined),
        "decode_head.1.conv_seg.weight": (classes, channels, 1, 1),
        "decode_head.1.conv_seg.bias": (classes,),
        **_conv_module(f"{block}.key_project.0", channels, keys),
        **_conv_module(f"{block}.key_project.1", keys, keys),
        **_conv_module(f"{block}.query_project.0", channels, keys),
        **_conv_module(f"{block}.query_project.1", keys, keys),
        **_conv_module(f"{block}.value_project", channels, keys),
        **_conv_module(f"{block}.out_project", keys, channels),
        **_conv_module(f"{block}.bottleneck", 2 * channels, channels),
        **_conv_module("decode_head.1.bottleneck", joined, channels, 3),
    }


@pytest.mark.parametrize(
    ("model", "width", "small"),
    [
        ("hrnet18s-ocr", 18, True),
        pytest.param("hrnet18-ocr", 18, False, marks=pytest.mark.slow),
        pytest.param("hrnet48-ocr", 48, False, marks=pytest.mark.slow),
    ],
)
def test_the_three_of_its_model_zoo(
    model: str, width: int, small: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with torch.device("meta"):
        network = create_model(model, head_bias=False)
    shapes = {
        name: tuple(tensor.shape) for name, tensor in published_tensors(network, KIND).items()
    }
    heads = {name: shape for name, shape in shapes.items() if name.startswith("decode_head.")}
    assert heads == head_shapes(width, 19, 512, 256)
    assert all(name.startswith(("decode_head.", "backbone.")) for name in shapes)
    assert any(name.startswith("backbone.stage4.2.") for name in shapes) != small
    if width == 48:
        return
    tensors = {}
    for name, shape in shapes.items():
        value = value_of(name, shape)
        tensors[name] = torch.tensor(7) if value is None else torch.tensor(value).float()
    file, own, back = (tmp_path / name for name in ("a.pth", "own.safetensors", "back.pth"))
    write_mmsegmentation(file, tensors)
    assert cli.main(["convert", str(file), str(own), "--model", model]) == 0
    assert f"{KIND} ({model}), 19 classes of cityscapes" in capsys.readouterr().out
    assert open_weights(file).foreign.recognised.model == model
    assert cli.main(["convert", str(file), str(own), "--model", "hrnet32-ocr-hier"]) == 1
    assert "no publication of the network 'hrnet32-ocr-hier' is known" in capsys.readouterr().err
    assert read_header(own).arguments["head_bias"] is False
    assert cli.main(["convert", str(own), str(back), "--to-published"]) == 0
    found = read_published(back)
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    return published_tensors(narrow_network(KIND, 21), KIND)


def _classes(file: Path) -> Any:
    return load_model(file).header.label_space


@pytest.mark.slow
def test_classes_are_those_that_the_file_names(
    tensors: dict[str, Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.pth"
    palette = [[index, 2 * index, 255 - index] for index in range(21)]
    for meta in (
        {"CLASSES": VOC, "PALETTE": palette},
        {"dataset_meta": {"classes": list(VOC), "palette": palette}},
    ):
        space = _classes(write_mmsegmentation(file, tensors, **meta))
        assert space.names == VOC
        assert space.raw_ids == tuple(range(21))
        assert space.colors[3] == (3, 6, 252)
    # A list that is none of 21 classes says nothing, and no data set here has as many.
    for meta in ({}, {"CLASSES": VOC[:-1]}, {"CLASSES": [*VOC[:-1], 3]}, {"CLASSES": "x" * 21},
                 {"CLASSES": [*VOC[:-1], "dog"]}, {"CLASSES": [*VOC[:-1], "x" * 1000]},
                 {"dataset_meta": [1]}):  # fmt: skip
        write_mmsegmentation(file, tensors, **meta)
        own = tmp_path / "own.safetensors"
        assert cli.main(["convert", str(file), str(own)]) == 2, meta
        assert "has 21 classes, which no publication has" in capsys.readouterr().err
    # Colours that are none are made.
    for wrong in (None, [[1, 2]] * 21, [[1, 2, 300]] * 21, palette[:-1], [[1, 2, "a"]] * 21):
        space = _classes(write_mmsegmentation(file, tensors, CLASSES=VOC, PALETTE=wrong))
        assert space.names == VOC
        assert len(set(space.colors)) == 21


@pytest.mark.slow
def test_classes_of_a_public_data_set_keep_its_ids(tmp_path: Path) -> None:
    tensors = published_tensors(narrow_network(KIND, 19), KIND)
    file = tmp_path / "a.pth"
    names = [f"{name} " if name == "bus" else name for name in CITYSCAPES.names]
    assert _classes(write_mmsegmentation(file, tensors, CLASSES=names)) == CITYSCAPES
    assert open_weights(file).has_classes_of(CITYSCAPES)
    other = [f"part {index}" for index in range(19)]
    assert _classes(write_mmsegmentation(file, tensors, CLASSES=other)).names == tuple(other)
    assert not open_weights(file).has_classes_of(CITYSCAPES)


def test_a_training_checkpoint_with_its_curves_is_read(
    tensors: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "mmengine.logging.history_buffer"

    class HistoryBuffer:
        def __init__(self) -> None:
            self._log_history = np.arange(3.0)
            self._max_length = 1000

    HistoryBuffer.__module__, HistoryBuffer.__qualname__ = name, "HistoryBuffer"
    for part in ("mmengine", "mmengine.logging", name):
        monkeypatch.setitem(sys.modules, part, types.ModuleType(part))
    monkeypatch.setattr(sys.modules[name], "HistoryBuffer", HistoryBuffer, raising=False)
    content = {
        "meta": {"CLASSES": VOC, "epoch": 3},
        "state_dict": tensors,
        "message_hub": {"log_scalars": {"train/loss": HistoryBuffer()}},
        "param_schedulers": [{"last_step": 3}],
    }
    torch.save(content, tmp_path / "a.pth")
    assert _classes(tmp_path / "a.pth").names == VOC


@torch.inference_mode()
def test_computes_the_same_as_the_network_with_biases_of_zero(tmp_path: Path) -> None:
    network = narrow_network(KIND)
    arguments = {**network.builder_arguments, "head_bias": True}
    biased = create_model("hrnet48-ocr", **arguments).eval()
    missing, unknown = biased.load_state_dict(network.state_dict(), strict=False)
    assert missing == ["head.pixels.conv.bias", "head.auxiliary.0.conv.bias"]
    assert not unknown
    for name in missing:
        biased.state_dict()[name].zero_()
    image = torch.rand(1, 3, 64, 96)
    torch.testing.assert_close(biased(image).logits, network(image).logits)
