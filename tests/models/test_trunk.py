"""timm's backbones as trunks."""

from __future__ import annotations

import math

import pytest
import torch

from hierseg.models.hrnet import SMALL_V2, HRNet
from hierseg.models.trunk import TimmTrunk, Trunk

NAMES = ["tf_efficientnet_lite0", "resnet18", "convnext_atto", "dla46_c"]
SLOW = ["swin_tiny_patch4_window7_224", "vit_tiny_patch16_224", "pvt_v2_b0"]


@pytest.mark.parametrize(
    "name", [*NAMES, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
@torch.no_grad()
def test_features_have_the_channels_and_strides_that_it_states(name: str) -> None:
    trunk = TimmTrunk(name).eval()
    assert isinstance(trunk, Trunk)
    assert min(trunk.strides) >= 4
    assert list(trunk.strides) == sorted(trunk.strides)
    for height, width in ((64, 96), (67, 131), (16, 16)):
        features = trunk(torch.rand(1, 3, height, width))
        assert tuple(feature.shape[1] for feature in features) == trunk.channels
        for feature, stride in zip(features, trunk.strides, strict=True):
            # Backbones round sides up or down.
            assert abs(feature.shape[-2] - height / stride) <= 1
            assert abs(feature.shape[-1] - width / stride) <= 1


@torch.no_grad()
def test_padding_changes_nothing_where_strides_divide() -> None:
    trunk = TimmTrunk("dla46_c").eval()
    assert trunk.pads
    image = torch.rand(1, 3, 96, 128)
    for own, feature in zip(trunk.backbone(image), trunk(image), strict=True):
        assert torch.equal(own, feature)
    odd = trunk(torch.rand(1, 3, 97, 131))
    sizes = [(math.ceil(97 / s), math.ceil(131 / s)) for s in trunk.strides]
    assert [tuple(feature.shape[-2:]) for feature in odd] == sizes


def test_backbones_that_take_any_size_are_not_padded() -> None:
    assert not TimmTrunk("tf_efficientnet_lite0").pads


def test_building_leaves_it_in_training_mode_with_fresh_statistics() -> None:
    trunk = TimmTrunk("resnet18")
    assert all(module.training for module in trunk.modules())
    assert trunk.backbone.bn1.running_mean.abs().max() == 0


def test_finer_features_are_kept_when_asked_for() -> None:
    assert TimmTrunk("resnet18", finest_stride=2).strides == (2, 4, 8, 16, 32)


def test_hrnet_is_a_trunk() -> None:
    assert isinstance(HRNet(4, SMALL_V2), Trunk)


def test_want_of_memory_says_nothing_of_a_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("could not create a primitive")

    monkeypatch.setattr("timm.create_model", fail)
    with pytest.raises(RuntimeError, match="could not create"):
        TimmTrunk("resnet18")
    monkeypatch.undo()
    monkeypatch.setattr(TimmTrunk, "forward", fail)
    with pytest.raises(RuntimeError, match="could not create"):
        TimmTrunk("resnet18")
