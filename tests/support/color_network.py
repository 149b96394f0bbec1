"""A network that knows classes by their colour, so that what it must say is known exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hierseg.labels import LabelSpace
from hierseg.models.outputs import SegmentationOutput

SPACE = LabelSpace(
    name="flags",
    names=("red", "green", "blue & <b>white</b>"),
    colors=((250, 10, 10), (20, 240, 30), (40, 50, 230)),
    raw_ids=(7, 300, 0),
    void_raw_id=9,
)


class ColorNetwork(nn.Module):
    """Logits fall with the distance from the class's colour; attention rises from left to right."""

    scales: tuple[float, ...] = (0.5, 1.0)
    num_classes = SPACE.num_classes
    align_corners = False
    weighs_largest = False
    header = None

    def __init__(self) -> None:
        super().__init__()
        self.colors = nn.Parameter(torch.tensor(SPACE.colors, dtype=torch.float32))
        self.calls: list[tuple[tuple[int, ...], Sequence[float] | None, bool]] = []

    def forward(
        self, image: Tensor, scales: Sequence[float] | None = None, keep_scales: bool = False
    ) -> SegmentationOutput:
        self.calls.append((tuple(image.shape), scales, keep_scales))
        if not keep_scales:
            return SegmentationOutput(self._logits(image))
        per_scale, attention = {}, {}
        for scale in scales or self.scales:
            size = [int(side * scale) for side in image.shape[-2:]]
            per_scale[scale] = self._logits(F.interpolate(image.float(), size=size))
            ramp = torch.linspace(0, 1, size[1]).expand(1, 1, *size)
            attention[scale] = ramp * scale
        return SegmentationOutput(self._logits(image), None, per_scale, attention)

    def _logits(self, image: Tensor) -> Tensor:
        difference = image.float()[:, None] - self.colors[None, :, :, None, None]
        return -difference.square().sum(2) / 2000


@pytest.fixture
def space() -> LabelSpace:
    return SPACE


@pytest.fixture
def network() -> ColorNetwork:
    return ColorNetwork()


@pytest.fixture
def labels() -> npt.NDArray[np.uint8]:
    """(40, 60): red above, green left below, blue right below; no symmetry."""
    labels = np.zeros((40, 60), np.uint8)
    labels[25:, :20] = 1
    labels[25:, 20:] = 2
    return labels


@pytest.fixture
def image(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return SPACE.color_table()[labels]
