"""Settings of a network's parts, given to its builder as arguments."""

from __future__ import annotations

import inspect
from typing import Any

from hierseg.assembly.checks import refuse_if
from hierseg.config import ModelConfig
from hierseg.models import SegmentationNetwork, describe_model, find_builder
from hierseg.settings import name_flag

ATTENTION = (
    "attention_channels",
    "attention_second",
    "attention_dropout",
    "attention_norm",
    "attention_even",
)
SWITCHES = (*ATTENTION, "align_corners", "aspp_channels", "aspp_pool")
"""Fields of ``ModelConfig`` that are arguments of builders."""


def choose_arguments(model: ModelConfig) -> dict[str, Any]:
    """The switches that differ from their defaults; UsageError for one that the network's builder
    does not take.
    """
    chosen = {
        name: getattr(model, name)
        for name in SWITCHES
        if getattr(model, name) != getattr(ModelConfig, name)
    }
    taken = list_arguments(model.name)
    for name in chosen:
        refuse_if(
            name not in taken,
            f"{_flag(name)} has no effect on {model.name}, which has no such part; leave it out.",
        )
    return chosen


def list_arguments(name: str) -> frozenset[str]:
    """The arguments of the builder of a network."""
    build = find_builder(describe_model(name).builder)
    return frozenset(inspect.signature(build).parameters)


def check_attention(network: SegmentationNetwork, model: ModelConfig) -> None:
    """UsageError for switches of an attention that the network does not have."""
    is_explicit = network.builder_arguments.get("combine") == "explicit"
    for name in ATTENTION:
        if getattr(model, name) == getattr(ModelConfig, name):
            continue
        refuse_if(
            not network.fusion.attends,
            f"{_flag(name)} has no effect on {model.name}, which has no attention over scales; "
            "leave it out.",
        )
        refuse_if(
            is_explicit and name in ("attention_second", "attention_dropout"),
            f"{_flag(name)} has no effect on explicit attention; leave it out.",
        )
        refuse_if(
            not is_explicit and name == "attention_norm",
            f"{_flag(name)} has no effect on {model.name}, whose attention always has batch norms; "
            "leave it out.",
        )


def _flag(name: str) -> str:
    return name_flag(f"model.{name}")
