"""A network of a few layers, and the files that are exported of it."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hierseg.checkpoint.format import FORMAT_VERSION, Header
from hierseg.exporting.options import ENDINGS, ExportOptions
from hierseg.exporting.writing import write_graph
from hierseg.labels import CITYSCAPES
from hierseg.layers import ConvNormAct
from hierseg.models.basic import BasicHead
from hierseg.models.hierarchical import HierarchicalFusion, ScaleAttention
from hierseg.models.network import SegmentationNetwork
from hierseg.size import Size

SPACE = CITYSCAPES
SIZE = Size(64, 96)
_FOLDER = tempfile.TemporaryDirectory(prefix="hierseg-exported-")


class TinyTrunk(nn.Module):
    """One feature, at a stride of 4."""

    channels, strides = (8,), (4,)

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = ConvNormAct(3, 8, 3, 2), ConvNormAct(8, 8, 3, 2)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [self.second(self.first(image))]


@functools.cache
def make_network() -> SegmentationNetwork:
    torch.manual_seed(3)
    head, attention = BasicHead((8,), 19, 8), ScaleAttention(8, 4)
    network = SegmentationNetwork(
        TinyTrunk(), head, attention, HierarchicalFusion(), num_classes=19, scales=(0.5, 1.0)
    )
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    with torch.no_grad():
        head.classify.weight.mul_(8)  # so that temperatures show
    network.header = make_header()
    return network.eval()


def make_header(**extra: Any) -> Header:
    arguments: dict[str, Any] = {"num_classes": 19}
    record = {"recipe": "tiny"}
    extra = {"temperature": 2.0} | extra
    return Header(FORMAT_VERSION, "hrnet_ocr", arguments, SPACE, (0.5, 1.0), False, record, extra)


@functools.cache
def find_exported(form: str, output: str = "labels", size: Size | None = SIZE) -> Path:
    """A file that was exported of the network; not to be changed."""
    path = Path(_FOLDER.name, f"{output}-{size}{ENDINGS[form]}")
    options: Any = {"format": form, "output": output, "size": size}
    write_graph(make_network(), make_header(), path, ExportOptions(**options))
    return path


def make_images(batch: int = 1, size: Size = SIZE) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (batch, 3, *size), dtype=torch.uint8, generator=generator)
