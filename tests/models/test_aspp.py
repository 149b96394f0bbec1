"""ASPP's width and its pooling over a window; attention that starts at 0.5."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from hierseg.errors import UsageError
from hierseg.models.aspp import ASPP
from hierseg.models.registry import create_model

NARROW: dict[str, Any] = {
    "width": 4, "shallow": True, "mid_channels": 8, "fine_channels": 4, "attention_channels": 8,
}  # fmt: skip


@pytest.mark.parametrize("align_corners", [False, True])
@torch.inference_mode()
def test_a_window_is_pooled(align_corners: bool) -> None:
    torch.manual_seed(0)
    aspp = ASPP(6, 4, pool=5, align_corners=align_corners).double().eval()
    x = torch.rand(2, 6, 7, 11, dtype=torch.float64)
    means = F.avg_pool2d(x, 5, stride=1)
    assert means.shape[-2:] == (3, 7)
    expected = F.interpolate(
        aspp.pooled(means), size=(7, 11), mode="bilinear", align_corners=align_corners
    )
    torch.testing.assert_close(aspp(x)[:, :4], expected)


@torch.inference_mode()
def test_a_window_as_large_as_the_feature_pools_all_of_it() -> None:
    whole, window = ASPP(6, 4).eval(), ASPP(6, 4, pool=11).eval()
    window.load_state_dict(whole.state_dict())
    x = torch.rand(1, 6, 7, 11)
    torch.testing.assert_close(window(x), whole(x))
    window.pool = 9  # less than the width, more than the height
    means = F.avg_pool2d(x, (7, 9), stride=1)
    expected = F.interpolate(whole.pooled(means), size=(7, 11), mode="bilinear")
    torch.testing.assert_close(window(x)[:, :4], expected)


@pytest.mark.parametrize(
    "name",
    ["deeplabv3plus-wrn38", "deeper-wrn38", "deeplabv3-resnet50", "deeplabv3plus-wrn38-fuse"],
)
def test_width_and_window_reach_the_head(name: str) -> None:
    changes = {key: value for key, value in NARROW.items() if "attention" not in key}
    network = create_model(name, 3, **changes, aspp_channels=5, aspp_pool=3)
    assert network.head.context.out_channels == 25
    assert network.head.context.pool == 3
    assert create_model(name, 3, **changes).head.context.out_channels == 40


def test_numbers_of_an_aspp_that_is_not_there_are_refused() -> None:
    for name in ("hrnet48-basic", "hrnet48-ocr"):
        for change in ({"aspp_channels": 4}, {"aspp_pool": 4}):
            with pytest.raises(UsageError, match="has no effect on a network without ASPP"):
                create_model(name, 3, width=2, **change)
    with pytest.raises(UsageError, match="has no pooling"):
        create_model("deeplabv3plus-resnet50-dpc", 3, **NARROW, aspp_pool=4)
    network = create_model("hrnet48-ocraspp", 3, width=2, mid_channels=8, aspp_channels=3)
    assert network.head.context.out_channels == 15


@pytest.mark.parametrize(
    "name",
    ["hrnet48-ocr-hier", "hrnet48-basic-hier", "deeper-wrn38-hier", "deeplabv3plus-wrn38-fuse2"],
)
def test_attention_that_starts_even_is_one_half_and_learns(name: str) -> None:
    narrow = {"width": 4} if name.startswith("hrnet") else NARROW
    network = create_model(name, 3, **narrow, attention_even=True).train()
    output = network(torch.rand(2, 3, 64, 64))
    assert all((attention == 0.5).all() for attention in output.attention.values())
    output.logits.square().mean().backward()
    assert network.attention.weigh.weight.grad.abs().sum() > 0


def test_explicit_attention_that_starts_even_is_an_average() -> None:
    network = create_model("deeplabv3plus-resnet50-explicit", 3, **NARROW, attention_even=True)
    network.eval()
    with torch.inference_mode():
        output = network(torch.rand(1, 3, 64, 64), keep_scales=True)
    for attention in output.attention.values():
        torch.testing.assert_close(attention, torch.full_like(attention, 1 / 3))
