"""A gate that is fitted to where the largest scale helps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hierseg.data.base import Record, Sample, SegmentationDataset
from hierseg.errors import UserError
from hierseg.evaluation.benefit import BenefitSample, fit_gate
from hierseg.labels import LabelSpace
from hierseg.models.hierarchical import HierarchicalFusion
from hierseg.models.network import SegmentationNetwork
from hierseg.models.outputs import HeadOutput

SPACE = LabelSpace("sides", ("dark", "light"), ((0, 0, 0), (255, 255, 255)), (0, 1))
SIZE = (96, 128)


class Pooling(nn.Module):
    """Colours at stride 4, and how large the image is."""

    channels = (4,) * 4
    strides = (4, 8, 16, 32)

    def forward(self, image: Tensor) -> list[Tensor]:
        colors = F.avg_pool2d(image, 4, ceil_mode=True, count_include_pad=False)
        size = torch.full_like(colors[:, :1], float(image.shape[-1] > SIZE[1]))
        return [torch.cat([colors, size], dim=1)]


class Guessing(nn.Module):
    """Says dark wherever the green is, but at the largest scale says what the red is: that is right
    where there is blue, and wrong where there is none.
    """

    out_channels = 4

    def forward(self, features: list[Tensor], regions: Tensor | None = None) -> HeadOutput:
        red, green, _, is_large = features[0].split(1, dim=1)
        light = torch.where(is_large > 0, red, green) - 0.5
        return HeadOutput(40 * torch.cat([-light, light], dim=1), None, features[0], None)


class Half(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return torch.full_like(features[:, :1], 0.3)


class Scenes(SegmentationDataset):
    """Noise whose light half is labelled light: green knows it but for the middle, where red does;
    blue is where red is to be trusted.
    """

    def __init__(self, count: int, labelled: bool = True) -> None:
        super().__init__(
            "scenes", "train", SPACE, [Sample(str(i), Path("x"), Path("y")) for i in range(count)]
        )
        self.labelled = labelled

    def read(self, index: int) -> Record:
        random = np.random.default_rng(index)
        labels = random.integers(0, 2, (SIZE[0] // 8, SIZE[1] // 8)).repeat(8, 0).repeat(8, 1)
        trusted = random.random((SIZE[0] // 16, SIZE[1] // 16)) < 0.3
        blue = trusted.repeat(16, 0).repeat(16, 1)
        red = np.where(
            blue,
            labels,
            random.integers(0, 2, (SIZE[0] // 8, SIZE[1] // 8)).repeat(8, 0).repeat(8, 1),
        )
        green = np.where(blue, 1 - labels, labels)
        image: npt.NDArray[np.uint8] = (255 * np.stack([red, green, blue], axis=-1)).astype(
            np.uint8
        )
        ids = labels.astype(np.uint8) if self.labelled else np.full(SIZE, 255, np.uint8)
        return Record(image, ids, str(index))


def make_network() -> Any:
    return SegmentationNetwork(
        Pooling(),  # type: ignore[arg-type]
        Guessing(),
        Half(),
        HierarchicalFusion(),
        num_classes=2,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
    ).eval()


def compute(network: Any) -> Any:
    return lambda image, attention, regions=None: network.forward_scale(
        image, regions, attention=attention
    )


def test_a_gate_finds_where_the_largest_scale_is_right() -> None:
    network, seen = make_network(), []
    fit = fit_gate(
        network, Scenes(10), (0.5, 1.0, 2.0), compute(network),
        on_progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert seen == [(done, 10) for done in range(1, 11)]
    # Where there is blue, about a third, most is corrected; of the rest almost half is spoiled.
    assert 0.15 < fit.corrected < 0.3
    assert 0.2 < fit.spoiled < 0.35
    gained = fit.gained
    assert gained["all"] < 0.05
    assert gained["learned"] > 0.15
    assert gained["learned"] > gained["disagreement"] + 0.1
    assert gained["learned"] > gained["product"] + 0.1
    # What it says is a share of pixels, and above 0 where the largest scale is to be trusted.
    sample = BenefitSample(network, (0.5, 1.0, 2.0), compute(network), 10, 255)
    sample.add(Scenes(12).read(11))
    clues = sample._clues[0].float()
    values = fit.gate(clues.T[None, :, :, None])[0, 0, :, 0]
    blue = clues[:, 3 + 2] > 0.5
    assert 0.3 < values[blue].mean() < 1.05
    assert -1 < values[~blue].mean() < -0.1


def test_the_draw_depends_on_the_image_alone() -> None:
    network = make_network()
    samples = [BenefitSample(network, (0.5, 1.0), compute(network), 10, 255) for _ in range(2)]
    samples[0].cells_of_image = samples[1].cells_of_image = 50
    for index in (0, 1):
        samples[0].add(Scenes(3).read(index))
    samples[1].add(Scenes(3).read(1))
    assert torch.equal(samples[0]._clues[1], samples[1]._clues[0])
    assert len(samples[1]._clues[0]) == 50


def test_what_cannot_be_fitted_to_is_said() -> None:
    network = make_network()
    with pytest.raises(UserError, match="no pixel of these images has a label"):
        fit_gate(network, Scenes(2, labelled=False), (0.5, 1.0, 2.0), compute(network))
    with pytest.raises(UserError, match="no labelled images"):
        fit_gate(network, Scenes(2), (0.5, 1.0, 2.0), compute(network), limit=0)
    network.head.forward = lambda features, regions=None: HeadOutput(
        torch.zeros_like(features[0][:, :2]), None, features[0], None
    )
    with pytest.raises(UserError, match="no gate can be fitted"):
        fit_gate(network, Scenes(2), (0.5, 1.0, 2.0), compute(network))
    network.head.forward = lambda features, regions=None: HeadOutput(
        features[0][:, :2] * torch.nan, None, features[0], None
    )
    with pytest.raises(UserError, match="'0' are NaN or infinite"):
        fit_gate(network, Scenes(2), (0.5, 1.0, 2.0), compute(network))
