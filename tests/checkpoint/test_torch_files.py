"""What torch saves is read as torch itself reads it, in both of its forms."""

from __future__ import annotations

import zipfile
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hierseg.checkpoint.torch_files import read_torch_file

FORMS = pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])


def _save(content: Any, path: Path, legacy: bool) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def _assert_same(found: Any, expected: Any) -> None:
    if isinstance(expected, Tensor):
        assert found.dtype == expected.dtype
        assert torch.equal(found, expected)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key, value in expected.items():
            _assert_same(found[key], value)
    elif isinstance(expected, list | tuple):
        assert type(found) is type(expected)
        for one, other in zip(found, expected, strict=True):
            _assert_same(one, other)
    else:
        assert found == expected
        assert type(found) is type(expected)


@FORMS
def test_tensors_of_every_kind(tmp_path: Path, legacy: bool) -> None:
    whole = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    content = {
        "whole": whole,
        "part": whole[1:, 1:3],  # of the same storage
        "turned": whole.t(),
        "parameter": nn.Parameter(torch.rand(3)),
        "number": torch.tensor(7),
        "empty": torch.empty(0, 3),
        "expanded": torch.ones(1).expand(5),
        **{
            str(dtype): torch.ones(2, 3).to(dtype)
            for dtype in (
                torch.float64, torch.float16, torch.bfloat16, torch.int32, torch.int16, torch.int8,
                torch.uint8, torch.bool,
            )
        },
    }  # fmt: skip
    found = read_torch_file(_save(content, tmp_path / "a.pth", legacy))
    content["parameter"] = content["parameter"].detach()
    _assert_same(found, content)


@FORMS
@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_states_of_optimisers(kind: str, tmp_path: Path, legacy: bool) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    optimiser: torch.optim.Optimizer
    if kind == "adam":
        optimiser = torch.optim.AdamW(network.parameters(), amsgrad=True)
    else:
        optimiser = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
    network(torch.rand(2, 3, 8, 8)).sum().backward()
    optimiser.step()
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [3, 5])
    content = {
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "schedule": schedule.state_dict(),
        "generator": torch.get_rng_state(),
    }
    found = read_torch_file(_save(content, tmp_path / "a.pth", legacy))
    _assert_same(
        found, {**content, "schedule": {**content["schedule"], "milestones": {3: 1, 5: 1}}}
    )
    network.load_state_dict(found["network"])
    optimiser.load_state_dict(found["optimiser"])


@FORMS
def test_what_stands_beside_tensors(tmp_path: Path, legacy: bool) -> None:
    content = {
        "best": np.float64(0.8692),
        "classes": np.int64(19),
        "size": torch.Size([2, 3]),
        "device": torch.device("cpu"),
        "type": torch.float16,
        "counts": Counter("aab"),
        "names": {"b"},
        "order": OrderedDict(z=1, a=None),
    }
    found = read_torch_file(_save(content, tmp_path / "a.pth", legacy))
    assert found == {
        "best": 0.8692,
        "classes": 19,
        "size": (2, 3),
        "device": "cpu",
        "type": torch.float16,
        "counts": {"a": 2, "b": 1},
        "names": ("b",),
        "order": {"z": 1, "a": None},
    }


def test_bytes_in_the_other_order(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save({"a": torch.tensor([1.0, 2.0])}, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            if name.endswith("/byteorder"):
                content = b"big"
            if name.endswith("/data/0"):
                content = np.frombuffer(content, "<f4").astype(">f4").tobytes()
            archive.writestr(name, content)
    assert read_torch_file(path)["a"].tolist() == [1, 2]
