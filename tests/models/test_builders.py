"""What the builders of DeepLab and of the plain HRNet make of their arguments."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from hierseg.errors import UsageError
from hierseg.models.explicit import ExplicitFusion
from hierseg.models.fusion import AverageFusion
from hierseg.models.hierarchical import HierarchicalFusion
from hierseg.models.paired import PairedFusion
from hierseg.models.passing import PassingFusion
from hierseg.models.pretrained import PretrainedWeightsWarning
from hierseg.models.registry import build_network, create_model, list_models

NARROW = {"trunk": "resnet50", "width": 4, "shallow": True, "mid_channels": 4}
TRUNKS = ("wrn38", "xception71", "resnet50", "resnet101", "seresnext50", "seresnext101")
WAYS = {
    "hier": HierarchicalFusion,
    "explicit": ExplicitFusion,
    "paired": PairedFusion,
    "fuse": PassingFusion,
    "fuse2": PassingFusion,
}


def test_the_promised_names_are_there() -> None:
    promised = {
        "hrnet48", "hrnet48-hier", "hrnet48-ocraspp", "hrnet48-ocraspp-hier",
        "deeplabv3plus-resnet50-explicit", "deeplabv3plus-resnet50-paired",
        "vplr-wrn38", "vplr-seresnext50", "hrnet48-basic", "hrnet48-basic-hier", "hrnet48-aspp",
        "hrnet48-aspp-hier", "deeper-wrn38", "deeper-wrn38-hier", "deeper-xception71",
        "deeper-xception71-hier", "deeplabv3plus-wrn38-fuse", "deeplabv3plus-wrn38-fuse2",
    }  # fmt: skip
    promised |= {f"deeplabv3plus-{trunk}{form}" for trunk in TRUNKS for form in ("", "-hier")}
    assert promised <= set(list_models())


@pytest.mark.parametrize("name", list_models())
def test_names_say_how_scales_are_combined(name: str) -> None:
    with torch.device("meta"):
        network = create_model(name)
    way = WAYS.get(name.rpartition("-")[2], AverageFusion)
    assert type(network.fusion) is way
    scales = {AverageFusion: (1.0,), ExplicitFusion: (0.5, 1.0, 2.0)}
    assert network.train_scales == scales.get(way, (0.5, 1.0))
    assert network.align_corners == name.startswith("vplr-")


@pytest.mark.parametrize(
    ("name", "millions"),
    [("deeplabv3plus-wrn38", 137.1), ("deeplabv3plus-xception71", 54.6),
     ("vplr-seresnext50", 42.4), ("hrnet48", 65.9)],
)  # fmt: skip
def test_parameters(name: str, millions: float) -> None:
    """As many as the manifests of these networks have values."""
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in create_model(name).parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.05)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"trunk": "vgg"}, "no trunk 'vgg' at stride 8; give one of wrn38, xception71, resnet50"),
        (
            {"trunk": "seresnext50", "width": 8},
            "width of seresnext50 cannot be 8; .* multiple of 16",
        ),
        ({"width": 129}, "width cannot be 129; give 4 to 128"),
        ({"width": 3}, "width cannot be 3; give 4 to 128"),
        ({"combine": "sum"}, "cannot be combined by 'sum'; give average, hierarchical, explicit"),
        ({"combine": "explicit", "train_scales": [0.5, 1], "scales": [1]}, "the same set for both"),
        ({"combine": "explicit", "scales": [0.5, 2]}, "must include 1"),
        ({"combine": "paired", "attention_dropout": 1.0}, "dropout cannot be 1; give a number"),
    ],
)
def test_arguments_that_cannot_be(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        build_network("deeplab", NARROW | arguments)


@pytest.mark.parametrize("given", ["scales", "train_scales"])
def test_one_set_of_scales_does_for_explicit_attention(given: str) -> None:
    arguments = NARROW | {"combine": "explicit", "attention_channels": 2, given: (1, 0.7)}
    network = build_network("deeplab", arguments)
    assert network.scales == network.train_scales == (1.0, 0.7)
    assert network.fusion.scales == (0.7, 1.0)
    assert network.fusion.mix[0].out_channels == 4


def test_options_of_attention_reach_it() -> None:
    options = {"attention_channels": 6, "attention_second": False, "attention_dropout": 0.5}
    for combine in ("hierarchical", "paired"):
        network = build_network("deeplab", NARROW | options | {"combine": combine})
        attention = network.attention or network.fusion.attention
        assert attention.conv1.conv.out_channels == 6
        assert isinstance(attention.conv2, torch.nn.Identity)
        assert attention.dropout.p == 0.5


@pytest.mark.parametrize("trunk", ["wrn38", "xception71"])
def test_trunks_without_weights_to_load_say_so(trunk: str) -> None:
    narrow = NARROW | {"trunk": trunk}
    with pytest.warns(PretrainedWeightsWarning, match=f"no ImageNet weights for '{trunk}'"):
        build_network("deeplab", narrow, pretrained=True)


def test_pretrained_weights_of_resnets_are_timms(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        "hierseg.models.resnet.load_trunk_weights", lambda net, name, options: asked.append(name)
    )
    for trunk in TRUNKS[2:]:
        narrow = NARROW | {"trunk": trunk, "width": 16}
        build_network("deeplab", narrow, pretrained=True)
    assert asked == [
        "resnet50", "resnet101", "legacy_seresnext50_32x4d", "legacy_seresnext101_32x4d",
    ]  # fmt: skip
