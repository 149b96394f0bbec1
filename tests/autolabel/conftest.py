"""A network that knows three classes by their colour, and six images for it to label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from hierseg.data.base import Sample, SegmentationDataset
from hierseg.inference.predictor import Predictor
from hierseg.labels import LabelSpace
from hierseg.models.outputs import SegmentationOutput

SPACE = LabelSpace(
    name="flags",
    names=("red", "green", "blue"),
    colors=((250, 10, 10), (20, 240, 30), (40, 50, 230)),
    raw_ids=(7, 30, 0),
    ignored_raw_ids=(9,),
    void_raw_id=9,
)


class ColorNetwork(nn.Module):
    """Logits fall with the distance from the class's colour. ``stop_after`` images, it is ended."""

    scales: tuple[float, ...] = (0.5, 1.0)
    num_classes = SPACE.num_classes
    align_corners = False
    weighs_largest = False
    header = None

    def __init__(self) -> None:
        super().__init__()
        self.colors = nn.Parameter(torch.tensor(SPACE.colors, dtype=torch.float32))
        self.calls = 0
        self.stop_after: int | None = None

    def forward(self, image: Tensor, scales: Sequence[float] | None = None, **_: Any) -> Any:
        if self.calls == self.stop_after:
            raise KeyboardInterrupt
        self.calls += 1
        difference = image.float()[:, None] - self.colors[None, :, :, None, None]
        return SegmentationOutput(-difference.square().sum(2) / 20000)


@pytest.fixture
def network() -> ColorNetwork:
    return ColorNetwork()


@pytest.fixture
def predictor(network: Any) -> Predictor:
    return Predictor(network, label_space=SPACE)


@pytest.fixture
def dataset(tmp_path: Path) -> SegmentationDataset:
    """Images 0 to 5, of which 3 lies in a folder below."""
    random = np.random.default_rng(0)
    samples = []
    for number in range(6):
        name = f"deep/{number}" if number == 3 else str(number)
        labels = np.repeat(random.integers(0, 3, (5, 7)), 8, 0).repeat(8, 1)
        image = SPACE.color_table()[labels].astype(np.int64) + random.integers(-90, 90, (40, 56, 3))
        path = tmp_path / "images" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(path)
        samples.append(Sample(name, path))
    return SegmentationDataset("mine", "dash", SPACE, samples)
