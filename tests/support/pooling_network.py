"""A multi-scale network without weights, fast, whose answers are known."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from hierseg.models.hierarchical import HierarchicalFusion
from hierseg.models.network import SegmentationNetwork
from hierseg.models.outputs import HeadOutput


class Pooling(nn.Module):
    """Colours at stride 4: a pixel's features depend on its own cell alone."""

    channels = (3,) * 4
    strides = (4, 8, 16, 32)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [F.avg_pool2d(image, 4, ceil_mode=True, count_include_pad=False)]


class Colors(nn.Module):
    """The classes' logits are the colours, and what regions add."""

    out_channels = 3

    def forward(self, features: list[Tensor], regions: Tensor | None = None) -> HeadOutput:
        finest = features[0]
        if regions is None:
            regions = finest.mean(dim=(2, 3))[..., None].expand(-1, -1, 3)
        logits = 10 * finest + 5 * regions.mean(dim=2)[..., None, None]
        return HeadOutput(logits, None, finest, regions)


class Bright(nn.Module):
    """Attention is high where it is dark."""

    def forward(self, features: Tensor) -> Tensor:
        return 0.9 - 0.8 * features.mean(dim=1, keepdim=True)


def make_network(scales: tuple[float, ...] = (0.5, 1.0, 2.0), direction: Any = "down") -> Any:
    return SegmentationNetwork(
        Pooling(),  # type: ignore[arg-type]
        Colors(),
        Bright(),
        HierarchicalFusion(direction),
        num_classes=3,
        scales=scales,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
    ).eval()
