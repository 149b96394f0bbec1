"""A network of a few layers, exported once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hierseg.checkpoint.format import FORMAT_VERSION, Header
from hierseg.exporting.options import ExportOptions
from hierseg.exporting.writing import write_graph
from hierseg.labels import CITYSCAPES
from hierseg.models.basic import BasicHead
from hierseg.models.fusion import AverageFusion
from hierseg.models.network import SegmentationNetwork


class SmallTrunk(nn.Module):
    channels, strides = (8, 12), (4, 8)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 5, 4, 2)
        self.body = nn.Conv2d(8, 12, 3, 2, 1)

    def forward(self, image: Tensor) -> list[Tensor]:
        first = self.stem(image).relu()
        return [first, self.body(first).relu()]


def make_small() -> SegmentationNetwork:
    torch.manual_seed(3)
    head = BasicHead((8, 12), CITYSCAPES.num_classes, 16)
    nn.init.normal_(head.classify.weight, std=2)  # so that classes lie apart
    return SegmentationNetwork(
        SmallTrunk(), head, None, AverageFusion(), num_classes=CITYSCAPES.num_classes
    ).eval()


def make_header(network: SegmentationNetwork) -> Header:
    return Header(FORMAT_VERSION, "small", {}, CITYSCAPES, network.scales, network.align_corners)


@pytest.fixture(scope="session")
def small() -> SegmentationNetwork:
    return make_small()


@pytest.fixture(scope="session")
def header(small: SegmentationNetwork) -> Header:
    return make_header(small)


@pytest.fixture(scope="session")
def _exported(
    small: SegmentationNetwork, header: Header, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    pytest.importorskip("onnxruntime")
    path = tmp_path_factory.mktemp("exported") / "small.onnx"
    write_graph(small, header, path, ExportOptions(output="logits"))
    return path


@pytest.fixture
def exported(_exported: Path, tmp_path: Path) -> Path:
    """A copy, which a test may spoil."""
    return Path(shutil.copy(_exported, tmp_path / "small.onnx"))
