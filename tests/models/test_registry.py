"""Networks by name."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from hierseg.errors import UsageError, UserError
from hierseg.models.builders.hrnet import build_hrnet_ocr
from hierseg.models.registry import (
    build_network,
    create_model,
    describe_model,
    list_models,
    name_network,
)

PARAMETERS = {  # Millions. 72.1 is the published network's: its manifest has as many values.
    "hrnet48-ocr-hier": 72.1, "hrnet48-ocr": 70.4, "hrnet18s-ocr-hier": 8.2, "lite0-ocr-hier": 3.3,
    "lite1-ocr-hier": 4.1, "lite2-ocr-hier": 4.7,
}  # fmt: skip
OBJECT_CONTEXTUAL = [
    "hrnet48-ocr-hier", "hrnet48-ocr", "hrnet32-ocr-hier", "hrnet18-ocr-hier", "hrnet18s-ocr-hier",
    "lite0-ocr-hier", "lite1-ocr-hier", "lite2-ocr-hier",
]  # fmt: skip


def test_names() -> None:
    assert set(OBJECT_CONTEXTUAL) <= set(list_models())
    assert list_models() == sorted(list_models())
    assert list_models("hrnet48-ocr-h*") == ["hrnet48-ocr-hier"]
    assert "timm:resnet18" in list_models("timm:resnet*")


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name: str) -> None:
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in create_model(name).parameters())
    assert count / 1e6 == pytest.approx(PARAMETERS[name], abs=0.1)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_lites_are_light_and_normalise_as_their_weights_were_trained(size: int) -> None:
    network = create_model(f"lite{size}-ocr-hier")
    assert sum(parameter.numel() for parameter in network.parameters()) < 6e6
    assert network.head.out_channels == 128
    assert network.head.attend.value.conv.out_channels == 64
    assert network.mean.flatten().tolist() == pytest.approx([127 / 255] * 3)
    assert network.std.flatten().tolist() == pytest.approx([128 / 255] * 3)
    assert network.trunk.strides == (4, 8, 16, 32)


@pytest.mark.parametrize("name", list_models())
def test_description(name: str) -> None:
    description = describe_model(name)
    with torch.device("meta"):  # Which holds no numbers, so that the largest takes no time either.
        network = create_model(name, num_classes=3)
    assert network.builder == description.builder
    assert network.builder_arguments == {**description.arguments, "num_classes": 3}
    assert description.summary
    assert "\n" not in description.summary
    # Paired and explicit attention are parts of their fusions.
    assert (network.attention is not None) == name.endswith(("-hier", "-fuse", "-fuse2"))
    several = name.endswith(("-hier", "-paired", "-explicit", "-fuse", "-fuse2"))
    assert 1.0 in network.scales
    assert (len(network.scales) > 1) == several
    assert {0.5, 1.0} <= set(network.train_scales) if several else network.train_scales == (1.0,)


def test_overrides() -> None:
    network = create_model(
        "hrnet48-ocr-hier", width=4, align_corners=True, scales=[1, 2], train_scales=(1.0,)
    )
    assert network.trunk.channels == (4, 8, 16, 32)
    assert network.align_corners
    assert network.head.join.align_corners
    assert network.trunk.stage4[0].align_corners
    assert (network.scales, network.train_scales) == ((1.0, 2.0), (1.0,))


@pytest.mark.parametrize("name", ["hrnet18s-ocr-hier", "lite0-ocr-hier"])
def test_convolutions_are_channels_last(name: str) -> None:
    weights = [p for p in create_model(name).parameters() if p.ndim == 4]
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights)


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no network named 'hrnet48-oct'.*'hrnet48-ocr'"):
        create_model("hrnet48-oct")
    with pytest.raises(UserError, match="timm has no backbone named 'resnet'"):
        create_model("timm:resnet")
    with pytest.raises(UserError, match="timm has no backbone named 'hf-hub:a/b'"):
        create_model("timm:hf-hub:a/b")
    with pytest.raises(UserError, match=r"'levit_128s' .* runs at its training size only"):
        create_model("timm:levit_128s")
    with pytest.raises(UserError, match="no network builder named 'pickle'"):
        build_network("pickle", {})


@pytest.mark.parametrize(
    "arguments",
    [
        {"width": True}, {"width": 4.0}, {"width": "4"}, {"width": None}, {"width": 0},
        {"width": -1}, {"width": 129}, {"num_classes": 10**9}, {"mid_channels": 10**6},
        {"hierarchical": 1}, {"hierarchical": "yes"}, {"attention_dropout": "0"},
        {"attention_dropout": 1.0}, {"attention_dropout": -0.1}, {"attention_dropout": True},
        {"attention_dropout": float("nan")}, {"scales": 1.0}, {"scales": []}, {"scales": [True]},
        {"scales": ["1"]}, {"scales": [1, 1]}, {"scales": [0]}, {"scales": [float("inf")]},
        {"scales": [10**400]}, {"attention_dropout": 10**400}, {"scales": [1.0] * 17},
        {"scales": {"1": 1}}, {"withd": 4}, {"": 1}, {"pretrained": True}, {"trunk": "resnet18"},
    ],
)  # fmt: skip
def test_arguments_that_cannot_be(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        build_network("hrnet_ocr", {"width": 4} | arguments)


def test_unknown_arguments_get_the_nearest() -> None:
    with pytest.raises(UsageError, match="no argument 'widht'; the nearest is 'width'"):
        create_model("hrnet48-ocr", widht=4)


@pytest.mark.parametrize("trunk", [3, None, "../x", "resnet18:x", "a/b"])
def test_trunks_that_cannot_be(trunk: Any) -> None:
    with pytest.raises(UserError):
        build_network("timm_ocr", {"trunk": trunk})


def test_a_finest_stride_beyond_all_is_refused() -> None:
    with pytest.raises(UserError, match="'resnet18' has no feature of stride 64"):
        create_model("timm:resnet18", finest_stride=64)


def test_builder_defaults_are_the_published_network() -> None:
    network = build_hrnet_ocr()
    assert network.num_classes == 19
    assert network.head.pixels.conv.weight.shape == (512, 720, 3, 3)
    assert network.head.attend.value.conv.out_channels == 256
    assert network.attention.conv1.conv.out_channels == 256
    assert network.head.dropout.p == 0.05


def test_a_network_is_named_by_what_its_builder_makes_of_its_arguments() -> None:
    for name in list_models():
        known = describe_model(name)
        assert name_network(known.builder, known.arguments) == name
    narrow = {"trunk": "resnet50", "combine": "hierarchical", "width": 4}
    assert name_network("deeplab", narrow) == "deeplabv3plus-resnet50-hier"
    lite = describe_model("lite0-ocr-hier").arguments
    assert name_network("timm_ocr", {**lite, "attention_second": False}) == "lite0-ocr-hier"
    assert name_network("timm_ocr", {**lite, "trunk": "dla46_c"}) is None
