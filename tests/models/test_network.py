"""The network itself: what it takes, what it runs, what it refuses."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hierseg.errors import UsageError, UserError
from hierseg.models.fusion import AverageFusion
from hierseg.models.hierarchical import HierarchicalFusion, ScaleAttention
from hierseg.models.network import SegmentationNetwork
from hierseg.models.outputs import HeadOutput


class _Trunk(nn.Module):
    channels = (3,)
    strides = (4,)

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.seen: list[Tensor] = []

    def forward(self, image: Tensor) -> list[Tensor]:
        self.seen.append(image.detach())
        return [image[..., ::4, ::4] * self.scale]


class _Head(nn.Module):
    def forward(self, features: list[Tensor], regions: Tensor | None = None) -> HeadOutput:
        return HeadOutput(features[0], -features[0], features[0], regions)


class _Attention(ScaleAttention):
    calls = 0

    def forward(self, features: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(features)


@pytest.fixture
def network() -> SegmentationNetwork:
    return SegmentationNetwork(
        _Trunk(), _Head(), _Attention(3, 2), HierarchicalFusion(), num_classes=3,
        scales=(0.5, 1.0, 2.0), train_scales=(0.5, 1.0), mean=(0.1, 0.2, 0.3), std=(0.5, 1, 2),
    )  # fmt: skip


def test_normalises_by_its_own_numbers(network: SegmentationNetwork) -> None:
    image = torch.rand(1, 3, 32, 40)
    network.eval()(image, (1.0,))
    mean, std = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 1, 2])
    expected = (image - mean[:, None, None]) / std[:, None, None]
    torch.testing.assert_close(network.trunk.seen[0], expected)
    assert not {"mean", "std"} & network.state_dict().keys()


def test_runs_each_scale_at_its_size(network: SegmentationNetwork) -> None:
    network.eval()(torch.rand(1, 3, 33, 41), (0.35, 1.0, 1.3))
    sizes = {tuple(image.shape[-2:]) for image in network.trunk.seen}
    assert sizes == {(11, 14), (33, 41), (42, 53)}


def test_default_scales(network: SegmentationNetwork) -> None:
    network.eval()(torch.rand(1, 3, 32, 32))
    assert len(network.trunk.seen) == 3
    output = network.train()(torch.rand(2, 3, 32, 32))
    assert len(network.trunk.seen) == 5
    assert set(output.per_scale) == set(output.attention) == {0.5, 1.0}


def test_attention_of_the_largest_scale_is_only_run_where_it_is_kept(
    network: SegmentationNetwork,
) -> None:
    image = torch.rand(2, 3, 32, 32)
    network.eval()(image)
    assert network.attention.calls == 2
    network(image, keep_scales=True)
    assert network.attention.calls == 5
    network.train()(image)
    assert network.attention.calls == 7


def test_auxiliary_in_training_or_when_asked_for(network: SegmentationNetwork) -> None:
    image = torch.rand(2, 3, 32, 32)
    assert network.train()(image).auxiliary is not None
    assert network(image, auxiliary=False).auxiliary is None
    assert network.eval()(image).auxiliary is None
    output = network(image, auxiliary=True)
    # This head's auxiliary logits are its logits with the other sign: both are fused alike.
    torch.testing.assert_close(output.auxiliary, -output.logits)


def test_without_attention_scales_are_averaged() -> None:
    network = SegmentationNetwork(_Trunk(), _Head(), None, AverageFusion(), num_classes=3).eval()
    image = torch.rand(1, 3, 32, 32)
    one, two = network(image, (1.0,)).logits, network(image, (2.0,)).logits
    torch.testing.assert_close(network(image, (1.0, 2.0)).logits, (one + two) / 2)
    assert network(image, (1.0, 2.0), keep_scales=True).attention is None


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (torch.rand(1, 3, 31, 64), "an image of 31x64 is too small; .* 32 pixels a side"),
        (torch.rand(3, 64, 64), "takes RGB images as .* this tensor is 3x64x64"),
        (torch.rand(1, 4, 64, 64), "this tensor is 1x4x64x64"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.int64), "torch.int64 is neither uint8 nor float"),
    ],
)
def test_refuses_what_is_no_image(
    network: SegmentationNetwork, image: Tensor, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        network.eval()(image)


@pytest.mark.parametrize(
    ("scales", "sentence"),
    [
        ((), "no scale is given"),
        ((0.5, 2.0), r"scales 0\.5 2 must include 1"),
        ((1.0, 1.0), "given twice"),
        ((1.0, -1.0), "positive numbers"),
        ((1.0, float("nan")), "positive numbers"),
        ((1.0, float("inf")), "positive numbers"),
        ((1.0, 0.01), r"scale 0\.01 leaves no pixel of an image of 32x40"),
        ((1.0, 1e9), "positive numbers, from 0.0078125 to 8"),
        ((1.0, 1e300), "positive numbers, from 0.0078125 to 8"),
        ((1.0, 1e-300), "positive numbers, from 0.0078125 to 8"),
        ((1.0, 10**400), "positive numbers"),
        ((True,), "positive numbers"),
        (("1",), "positive numbers"),
        ((None,), "positive numbers"),
        ("1", "scales are a list of numbers"),
        (1.0, "scales are a list of numbers"),
        (itertools.count(1), "more than 16 scales are given"),
        ([1.0 + i / 1e5 for i in range(20_000)], "more than 16 scales are given"),
    ],
)
def test_refuses_scales_that_cannot_be(
    network: SegmentationNetwork, scales: Any, sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        network.eval()(torch.rand(1, 3, 32, 40), scales)


def test_refuses_to_train_on_a_single_value(network: SegmentationNetwork) -> None:
    network.trunk.strides = (4, 32)
    with pytest.raises(UsageError, match=r"32x32 at scale 0\.5 is too small to train on"):
        network.train()(torch.rand(1, 3, 32, 32))
    assert network(torch.rand(2, 3, 32, 32)).logits.shape == (2, 3, 32, 32)
    assert network.eval()(torch.rand(1, 3, 32, 32)).logits.shape == (1, 3, 32, 32)


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (0, 255, r"values from 0 to 255 .* \[0, 1\]; divide it by 255"),
        (0, 1.6, "divide it by 255"),
        (-2.1, 2.6, r"from -2\.1 to 2\.6 .*; do not normalise it, the network does"),
        (-0.6, 1, "do not normalise it, the network does"),
        (0, float("nan"), "NaN or infinite"),
        (0, float("inf"), "NaN or infinite"),
        (float("-inf"), 1, "NaN or infinite"),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_floats_well_outside_0_to_1_are_refused_in_evaluation(
    network: SegmentationNetwork, low: float, high: float, message: str, dtype: torch.dtype
) -> None:
    image = torch.full((1, 3, 32, 40), 0.5, dtype=dtype)
    image[0, 0, 3, 4], image[0, 2, 9, 7] = low, high
    network.eval()
    with pytest.raises(UserError, match=message if dtype == torch.float32 else "image"):
        network(image)
    if low >= 0:
        network.train()
        network(image)  # a step does not wait for the device


def test_floats_near_0_to_1_are_taken_and_so_is_nothing(network: SegmentationNetwork) -> None:
    network.eval()
    image = torch.rand(1, 3, 32, 40)
    image[0, 0, 0, 0], image[0, 0, 0, 1] = -0.5, 1.5  # as resizing may leave them
    network(image)
    network(torch.rand(0, 3, 32, 40), (1.0,))
    network(torch.rand(1, 3, 32, 40).to(torch.float8_e4m3fn))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16, torch.bool])
def test_integers_are_refused_unless_uint8(
    network: SegmentationNetwork, dtype: torch.dtype
) -> None:
    with pytest.raises(UserError, match=r"neither uint8 nor float.*to\(torch\.uint8\)"):
        network.eval()(torch.ones(1, 3, 32, 40, dtype=dtype))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.zeros(1, 32, 40, 3), r"is 1x32x40x3; its channels are last: give image\.permute\(0"),
        (torch.zeros(3, 32, 40), r"is 3x32x40; one image is a batch too: give image\[None\]"),
        (torch.zeros(32, 40, 3), r"give image\.permute\(2, 0, 1\)\[None\]"),
        (torch.zeros(32, 40), r"is 32x40\.$"),
        (torch.zeros(()), r"this tensor is \."),
        (torch.zeros(1, 3, 32, 40).numpy(), "takes a tensor and this is ndarray"),
        ("street.jpg", r"this is str; hierseg\.Predictor takes arrays, Pillow images and paths"),
        (None, "this is NoneType"),
    ],
)
def test_what_is_no_batch_of_images_is_refused_with_the_way_to_make_one(
    network: SegmentationNetwork, image: Any, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        network.eval()(image)


@pytest.mark.filterwarnings("ignore:The tensor attribute")
def test_a_network_is_still_traced_and_exported(network: SegmentationNetwork) -> None:
    network.eval()
    image = torch.rand(1, 3, 32, 40)
    exported = torch.export.export(network, (image, (1.0,)))
    torch.testing.assert_close(
        exported.module()(image, (1.0,)).logits, network(image, (1.0,)).logits
    )
