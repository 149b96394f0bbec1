"""Temperatures in checkpoints: stored without a change to the tensors, and never believed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from hierseg.checkpoint.annotate import annotate_checkpoint
from hierseg.checkpoint.format import Header, header_from_json, read_header
from hierseg.checkpoint.load import load_model, open_weights
from hierseg.checkpoint.save import save_checkpoint
from hierseg.errors import UserError
from hierseg.labels import LabelSpace
from hierseg.models.network import SegmentationNetwork


def test_tensors_and_the_rest_of_the_header_stay(
    tmp_path: Path, network: SegmentationNetwork, space: LabelSpace
) -> None:
    source, out = tmp_path / "half.safetensors", tmp_path / "out.safetensors"
    save_checkpoint(source, network, space, {"epoch": 3}, half=True, extra={"published": "x"})
    assert open_weights(source).temperature is None
    assert read_header(source).temperature == 1
    annotate_checkpoint(source, out, load_model(source), {"temperature": 1.25})
    before, after = load_file(source), load_file(out)
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert after[name].dtype == tensor.dtype
        assert torch.equal(after[name], tensor)
    assert any(tensor.dtype == torch.float16 for tensor in after.values())
    extra = {"published": "x", "temperature": 1.25}
    assert read_header(out) == dataclasses.replace(read_header(source), extra=extra)
    assert open_weights(out).temperature == 1.25


def test_a_checkpoint_may_take_its_own_place(
    checkpoint: Path, network: SegmentationNetwork
) -> None:
    assert open_weights(checkpoint).temperature == 1.5
    annotate_checkpoint(checkpoint, checkpoint, network, {"temperature": 2})
    assert open_weights(checkpoint).temperature == 2
    assert load_model(checkpoint).header.temperature == 2  # type: ignore[union-attr]


def test_a_published_file_becomes_one_of_hierseg_s(
    tmp_path: Path, network: SegmentationNetwork, space: LabelSpace
) -> None:
    source, out = tmp_path / "network.pth", tmp_path / "out.safetensors"
    torch.save({"state_dict": network.state_dict()}, source)
    assert open_weights(source).temperature is None
    header = Header(1, "x", {}, space, (0.5, 1.0), False, {"epoch": 1}, {"published": "y"})
    network.header, kept = header, network.header
    name, other = "head.classify.bias", torch.full((space.num_classes,), 0.5)
    annotate_checkpoint(
        source, out, network, {"temperature": 0.75}, {name: other}, {"epoch": None, "mine": 2}
    )
    network.header = kept
    written = read_header(out)
    assert written.extra == {"published": "y", "temperature": 0.75}
    assert written.record == {"mine": 2}
    tensors = load_file(out)
    assert tensors.keys() == network.state_dict().keys()
    changed = [key for key, t in network.state_dict().items() if not torch.equal(t, tensors[key])]
    assert changed == [name]
    assert torch.equal(tensors[name], other)


@pytest.mark.parametrize("value", [0, -1, "2", None, True, [], 10**400, 1e-9, 1e9])
def test_what_is_no_temperature_is_refused(space: LabelSpace, value: Any) -> None:
    header = Header(1, "x", {}, space, (1.0,), False)
    data = json.loads(header.to_json()) | {"extra": {"temperature": value}}
    with pytest.raises(UserError, match=r"x is damaged: its temperature is not a number"):
        header_from_json(json.dumps(data), "x")
    data["extra"] = {"temperature": 2}
    assert header_from_json(json.dumps(data), "x").temperature == 2


def test_a_long_edge_is_optional_and_stays(
    tmp_path: Path, network: SegmentationNetwork, space: LabelSpace
) -> None:
    source, out = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_checkpoint(source, network, space)
    assert read_header(source).long_edge is None
    save_checkpoint(source, network, space, extra={"long_edge": 640, "temperature": 2})
    # As `hierseg calibrate` and `hierseg adjust` write.
    annotate_checkpoint(source, out, load_model(source), {"temperature": None}, {})
    header = read_header(out)
    assert (header.long_edge, header.temperature) == (640, 1)


@pytest.mark.parametrize("value", [0, 31, -640, 65537, 640.0, True, "640", [640]])
def test_what_is_no_long_edge_is_refused(
    tmp_path: Path, network: SegmentationNetwork, space: LabelSpace, value: Any
) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, network, space, extra={"long_edge": value})
    with pytest.raises(UserError, match="is damaged: its long edge is not a number of pixels"):
        read_header(path)
