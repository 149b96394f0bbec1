"""A data set in memory whose images carry their own labels, and a network that reads them off."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from torch import Tensor, nn
from torch.nn import functional

from hierseg.data.base import Record, Sample, SegmentationDataset
from hierseg.labels import LabelSpace
from hierseg.models.outputs import SegmentationOutput

SPACE = LabelSpace(
    name="cards",
    names=("spades", "hearts", "clubs", "jokers"),
    colors=((0, 0, 0), (255, 0, 0), (40, 40, 40), (0, 255, 0)),
    raw_ids=(0, 1, 2, 3),
)
STEP = 40


class MemoryDataset(SegmentationDataset):
    """Label maps of several sizes; red is STEP times the label, an ignored pixel any."""

    def __init__(self, maps: Sequence[npt.NDArray[np.uint8] | None]) -> None:
        samples = [Sample(str(number), Path(f"{number}.png")) for number in range(len(maps))]
        super().__init__("memory", "val", SPACE, samples)
        self.maps = maps

    def read(self, index: int) -> Record:
        labels = self.maps[index]
        pixels = np.zeros((40, 50, 3), np.uint8)
        if labels is not None:
            random = np.random.default_rng(index).integers(0, 255, (*labels.shape, 3), np.uint8)
            pixels = random.astype(np.uint8)
            pixels[..., 0] = np.where(labels == 255, 0, labels) * STEP
        return Record(pixels, labels, str(index))


class ReadingNetwork(nn.Module):
    """Says what red says."""

    scales: tuple[float, ...] = (0.5, 1.0)
    num_classes = SPACE.num_classes
    header: object | None = None

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[tuple[int, ...], tuple[float, ...] | None, bool]] = []

    def forward(
        self, image: Tensor, scales: tuple[float, ...] | None = None, keep_scales: bool = False
    ) -> SegmentationOutput:
        self.calls.append((tuple(image.shape), scales, self.training))
        labels = (image[:, 0].float() / STEP).round().long()
        one_hot = functional.one_hot(labels, self.num_classes).permute(0, 3, 1, 2)
        return SegmentationOutput(one_hot.float())


@pytest.fixture
def network() -> ReadingNetwork:
    return ReadingNetwork()


@pytest.fixture
def maps() -> list[npt.NDArray[np.uint8]]:
    """Three label maps of different sizes, of three of the four classes, some ignored."""
    random = np.random.default_rng(5)
    maps = [random.integers(0, 3, size).astype(np.uint8) for size in ((40, 50), (33, 70), (64, 64))]
    maps[1][4:9] = 255
    return maps


def grid(rows: list[list[int]]) -> npt.NDArray[np.uint8]:
    """A label map from rows of labels, each a block of 8x8 pixels."""
    return np.kron(np.array(rows), np.ones((8, 8))).astype(np.uint8)
