from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hierseg.checkpoint import (
    load_raft,
    load_sdcnet,
    open_weights,
    save_sdcnet,
    write_published_sdcnet,
)
from hierseg.checkpoint.format import FLOW_KEY
from hierseg.errors import UserError
from hierseg.flow import FRAMES, SdcNet, build_raft

ARGUMENTS = {"form": "prediction", "width": 4, "mean": [1.5, -2.0], "std": [3.0, 4.5]}


@pytest.mark.parametrize("form", FRAMES)
def test_what_is_saved_is_loaded(tmp_path: Path, form: str) -> None:
    network = SdcNet(**{**ARGUMENTS, "form": form})
    path = tmp_path / "a.safetensors"
    save_sdcnet(path, network, {"steps": 3})
    loaded = load_sdcnet(path)
    assert loaded.record == {"steps": 3}
    assert loaded.network.arguments == network.arguments
    assert not loaded.network.training
    assert _same(loaded.network, network)


@pytest.mark.parametrize("form", FRAMES)
def test_the_published_form_tells_form_width_and_statistics(tmp_path: Path, form: str) -> None:
    network = SdcNet(**{**ARGUMENTS, "form": form})
    write_published_sdcnet(tmp_path / "a.pth.tar", network)
    loaded = load_sdcnet(tmp_path / "a.pth.tar").network
    assert loaded.arguments == network.arguments
    assert _same(loaded, network)


def _same(one: SdcNet, other: SdcNet) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(*pair) for pair in pairs)


def test_a_network_of_flow_is_no_network_of_segmentation(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_sdcnet(path, SdcNet(width=4))
    with pytest.raises(UserError, match=r"--flow sdcnet:"):
        _ = open_weights(path).header


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arguments": {"width": 1 << 20}}, "width"),
        ({"arguments": {"depth": 4}}, "describes no SDC-Net"),
        ({"arguments": {"width": 8}}, "another shape"),
        ({"arguments": {"width": 4, "form": "prediction"}}, "another shape"),
        ({"arguments": {"width": 4, "mean": ["a", "b"]}}, "describes no SDC-Net"),
        ({"arguments": None}, "metadata"),
        ({"network": "other"}, "metadata"),
        ({"format_version": 2}, "newer"),
        ({"format_version": "1"}, "metadata"),
    ],
)
def test_metadata_that_lie_are_refused(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    described = {"format_version": 1, "network": "sdcnet", "arguments": {"width": 4}, "record": {}}
    path = tmp_path / "a.safetensors"
    metadata = {FLOW_KEY: json.dumps({**described, **change})}
    save_file(SdcNet(width=4).state_dict(), path, metadata)
    with pytest.raises(UserError, match=said) as raised:
        load_sdcnet(path)
    assert str(path) in str(raised.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    torch.save({"state_dict": {"a": torch.zeros(1)}}, tmp_path / "b.pth")
    wrong = {f"{name}": value for name, value in SdcNet(width=4).state_dict().items()}
    torch.save({"conv1.0.weight": torch.zeros(4, 7, 7, 7), **wrong}, tmp_path / "c.pth")
    torch.save({"conv1.0.weight": torch.zeros(4, 13, 7, 7)}, tmp_path / "d.pth")
    for name, said in (
        ("a.safetensors", "no network of flow"),
        ("b.pth", "no layer conv1"),
        ("c.pth", "takes 7 maps"),
        ("d.pth", "missing"),
        ("e.pth", "cannot be read"),
    ):
        with pytest.raises(UserError, match=said):
            load_sdcnet(tmp_path / name)


def test_raft_is_told_by_its_tensors(tmp_path: Path) -> None:
    torch.manual_seed(0)
    small = build_raft("small")
    torch.save(small.state_dict(), tmp_path / "small.pth")
    loaded = load_raft(tmp_path / "small.pth")
    assert not loaded.training
    pairs = zip(loaded.state_dict().values(), small.state_dict().values(), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match="no RAFT"):
        load_raft(tmp_path / "other.pth")
