"""Settings of a network's parts reach its builder, or are refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from hierseg import assembly as build
from hierseg.assembly.switches import SWITCHES
from hierseg.config import DataConfig, Experiment, ModelConfig, RuntimeConfig
from hierseg.errors import UsageError
from hierseg.labels import CAMVID
from hierseg.models.network import SegmentationNetwork


def _build(name: str, **changes: Any) -> SegmentationNetwork:
    experiment = Experiment(
        model=ModelConfig(name=name, pretrained=False, **changes),
        data=DataConfig(root=Path("data"), batch=2),
        runtime=RuntimeConfig(out=Path("run"), device="cpu"),
    )
    return build.assemble_network(experiment, CAMVID)


def test_switches_reach_the_network() -> None:
    network = _build(
        "lite0-ocr-hier",
        attention_channels=8,
        attention_second=False,
        attention_dropout=0.5,
        attention_even=True,
        align_corners=True,
    )
    assert network.attention.conv1.conv.out_channels == 8
    assert not hasattr(network.attention.conv2, "conv")
    assert network.attention.dropout.p == 0.5
    assert not network.attention.weigh.weight.any()
    assert network.align_corners
    # So that a checkpoint of it says so.
    assert network.builder_arguments["attention_second"] is False


def test_what_is_not_set_stays_as_the_registry_has_it() -> None:
    network = _build("lite0-ocr-hier")
    assert set(network.builder_arguments) & set(SWITCHES) == {"attention_channels"}
    assert network.attention.conv1.conv.out_channels == 64


def test_every_switch_is_a_field_with_its_builders_default() -> None:
    fields = {field.name for field in dataclasses.fields(ModelConfig)}
    assert set(SWITCHES) <= fields


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("lite0-ocr-hier", {"aspp_channels": 8}, "--model.aspp-channels has no effect on lite0"),
        ("lite0-ocr-hier", {"attention_norm": True}, "--model.attention-norm has no effect on"),
        ("hrnet48-basic-hier", {"aspp_pool": 8}, "aspp_pool 8 has no effect on a network without"),
        ("hrnet48-basic-hier", {"attention_norm": True}, "whose attention always has batch norms"),
        ("hrnet48-basic", {"attention_even": True}, "has no attention over scales"),
        ("lite0-ocr-hier", {"attention_dropout": 1.0}, "dropout cannot be 1; give a number"),
        ("lite0-ocr-hier", {"attention_channels": 0}, "attention_channels cannot be 0"),
    ],
)  # fmt: skip
def test_switches_that_say_nothing_are_refused(
    name: str, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        _build(name, **change)
    with pytest.raises(UsageError, match="has no effect on explicit attention"):
        _build("deeplabv3plus-resnet50-explicit", attention_second=False)


def test_weights_conventions_that_a_network_has_no_part_for_are_left() -> None:
    experiment = Experiment(model=ModelConfig(name="lite0-ocr-hier", pretrained=False))
    conventions = {"align_corners": True, "aspp_pool": 9}
    network = build.assemble_network(experiment, CAMVID, conventions=conventions)
    assert network.align_corners
    assert "aspp_pool" not in network.builder_arguments
