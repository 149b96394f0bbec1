"""HRNetV2 against timm's: the same trunk, but that the exchange there takes the nearest pixel."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from hierseg.models.hrnet import PUBLISHED, SMALL_V2, HRNet, StageDepths
from hierseg.models.pretrained import copy_by_order

FEATURES = {"features_only": True, "feature_location": ""}


def _randomize(module: nn.Module) -> None:
    torch.manual_seed(0)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_(0, 0.1)
            norm.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(norm.weight, 0.2, 0.6)
            nn.init.normal_(norm.bias, 0, 0.1)


@pytest.mark.parametrize(
    ("name", "width", "depths"),
    [("hrnet_w18_small_v2", 18, SMALL_V2), ("hrnet_w18", 18, PUBLISHED)],
)
@torch.no_grad()
def test_computes_what_timm_computes(name: str, width: int, depths: StageDepths) -> None:
    reference = timm.create_model(name, **FEATURES).eval()
    _randomize(reference)
    for module in reference.modules():
        if isinstance(module, nn.Upsample):
            module.mode, module.align_corners = "bilinear", False
    trunk = HRNet(width, depths).eval()
    assert len(trunk.state_dict()) == len(reference.state_dict())
    copy_by_order(reference.state_dict(), trunk)
    image = torch.randn(1, 3, 64, 96)
    expected = reference(image)[1:]  # The first is the stem.
    features = trunk(image)
    assert tuple(feature.shape[1] for feature in features) == trunk.channels
    for feature, other in zip(features, expected, strict=True):
        torch.testing.assert_close(feature, other, rtol=1e-4, atol=1e-4 * float(other.std()))


@torch.no_grad()
def test_strides_at_sizes_that_they_do_not_divide() -> None:
    trunk = HRNet(4, SMALL_V2).eval()
    sizes = [tuple(f.shape[-2:]) for f in trunk(torch.randn(1, 3, 67, 131))]
    assert sizes == [(-(-67 // s), -(-131 // s)) for s in trunk.strides]


def test_convolutions_have_no_bias() -> None:
    convolutions = [m for m in HRNet(4).modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) > 100
    assert all(convolution.bias is None for convolution in convolutions)


@torch.no_grad()
def test_corners_are_aligned_where_asked_for() -> None:
    torch.manual_seed(0)
    plain, aligned = HRNet(4, SMALL_V2), HRNet(4, SMALL_V2, align_corners=True)
    aligned.load_state_dict(plain.state_dict())
    image = torch.randn(1, 3, 64, 96)
    assert not torch.allclose(plain.eval()(image)[0], aligned.eval()(image)[0])
