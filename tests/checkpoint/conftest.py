"""A small network and its file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hierseg.checkpoint.save import save_checkpoint
from hierseg.labels import LabelSpace
from hierseg.models.network import SegmentationNetwork
from hierseg.models.registry import create_model

ARGUMENTS = {"width": 2, "mid_channels": 4, "key_channels": 4, "attention_channels": 4}


@pytest.fixture(scope="session")
def space() -> LabelSpace:
    return LabelSpace("three", ("a", "b", "c"), ((0, 0, 0), (1, 2, 3), (9, 9, 9)), (7, 8, 40),
                      ignored_raw_ids=(1,), merged_raw_ids={2: 1})  # fmt: skip


@pytest.fixture(scope="session")
def network() -> SegmentationNetwork:
    torch.manual_seed(0)
    network = create_model("hrnet18s-ocr-hier", num_classes=3, **ARGUMENTS)
    with torch.no_grad():  # Statistics and counters of their own.
        network.train()(torch.rand(2, 3, 64, 64))
    return network.eval()


@pytest.fixture
def checkpoint(tmp_path: Path, network: SegmentationNetwork, space: LabelSpace) -> Path:
    path = tmp_path / "network.safetensors"
    save_checkpoint(path, network, space, record={"epoch": 3}, extra={"temperature": 1.5})
    return path
