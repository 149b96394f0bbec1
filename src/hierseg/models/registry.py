"""Networks by name, and builders by name with checked arguments."""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from hierseg.errors import UsageError, UserError
from hierseg.faces import import_timm
from hierseg.models.catalog import (
    BUILDER_MODULES,
    MODELS,
    PUBLISHED_NAMES,
    ModelDescription,
    describe_published,
)
from hierseg.models.gate import BenefitGate
from hierseg.models.network import SegmentationNetwork
from hierseg.options import MOST_SCALES, check_scales
from hierseg.wording import find_nearest

TIMM_PREFIX = "timm:"
# Far above what any network has; a damaged or hostile checkpoint must not exhaust the memory.
LARGEST_INTEGER = 2048
STATISTICS = frozenset({"mean", "std"})
"""Arguments of every builder: RGB in [0, 1] is normalised by these instead of the trunk's own."""
CONVENTIONS = ("mean", "std", "align_corners", "aspp_pool")
"""Arguments of builders that change what a network computes but none of its tensors."""
SMALLEST_STD = 1e-6
GATE = "gate_channels"
"""An argument of every builder: gives the network a learned gate with so many channels between its
two convolutions."""


def list_models(pattern: str = "*") -> list[str]:
    """Names of networks that ``create_model`` makes.

    Args:
        pattern: A shell pattern; ``timm:`` patterns list timm's backbones.

    Returns:
        The names that match, sorted.

    Example:
        hierseg.list_models("*hier*")
    """
    if pattern.startswith(TIMM_PREFIX):
        timm = import_timm()
        return sorted(TIMM_PREFIX + name for name in timm.list_models(pattern[len(TIMM_PREFIX) :]))
    return sorted(fnmatch.filter(MODELS, pattern))


def name_network(builder: str, arguments: Mapping[str, Any]) -> str | None:
    """The registry's name of what a builder makes of arguments, other widths aside; None if it has
    none.
    """
    parameters = inspect.signature(find_builder(builder)).parameters
    effective = {name: one.default for name, one in parameters.items()}
    fitting = []
    for name in list_models():
        known = MODELS[name]
        keys = {*known.arguments, *(effective.keys() & {"combine", "hierarchical"})}
        ours, theirs = {**effective, **known.arguments}, {**effective, **arguments}
        if known.builder == builder and all(ours[key] == theirs[key] for key in keys):
            fitting.append(name)
    # What states more is nearer: a head of its own beside the trunk.
    return max(fitting, key=lambda name: len(MODELS[name].arguments), default=None)


def describe_model(name: str) -> ModelDescription:
    """Builder, arguments and summary of a network; UsageError for an unknown name.

    The original's ``--arch`` names are accepted too (``PUBLISHED_NAMES``).
    """
    if name in MODELS:
        return MODELS[name]
    if name.startswith(TIMM_PREFIX):
        trunk = name[len(TIMM_PREFIX) :]
        return ModelDescription(
            "timm_ocr", {"trunk": trunk}, f"timm's {trunk}, OCR, hierarchical attention"
        )
    published = describe_published(name)
    if published is not None:
        return published
    known = [*MODELS, *PUBLISHED_NAMES]
    near = find_nearest(name, known, least=0.0)
    raise UsageError(
        f"there is no network named '{name:.80}'; the nearest is '{near}' (`hierseg models` lists "
        "all)."
    )


def create_model(
    name: str, num_classes: int = 19, pretrained: bool = False, **overrides: Any
) -> SegmentationNetwork:
    """A new network.

    Args:
        name: A name of ``list_models``, ``timm:NAME`` for any timm backbone, or an ``--arch`` of
            the original.
        num_classes: K.
        pretrained: Start the trunk from ImageNet weights if there are any; else a
            ``PretrainedWeightsWarning`` says why not.
        overrides: Arguments of the builder instead of the registry's, e.g. ``width=32``.

    Returns:
        The network with random weights beside these, in training mode: RGB images in, logits out.

    Raises:
        UserError: The name is unknown, or an argument is unknown or out of range.

    Example:
        network = hierseg.create_model("lite0-ocr-hier", num_classes=11)
    """
    description = describe_model(name)
    arguments = {**description.arguments, "num_classes": num_classes, **overrides}
    return build_network(description.builder, arguments, pretrained=pretrained)


def find_builder(name: str) -> Callable[..., SegmentationNetwork]:
    """The builder of this name; UserError for an unknown one."""
    if name not in BUILDER_MODULES:
        raise UserError(
            f"there is no network builder named {name!r}; a newer hierseg may have it, so update."
        )
    module = importlib.import_module(f"hierseg.models.builders.{BUILDER_MODULES[name]}")
    build: Callable[..., SegmentationNetwork] = getattr(module, f"build_{name}")
    return build


def build_network(
    builder: str, arguments: Mapping[str, Any], pretrained: bool = False
) -> SegmentationNetwork:
    """Call a builder by name. The network keeps name and arguments, so that a checkpoint can build
    it again.

    Args:
        builder: A name in ``BUILDER_MODULES``.
        arguments: Its arguments, as JSON holds them (lists for tuples). Every builder also takes
            ``mean`` and ``std``, three numbers each, and ``gate_channels``.
        pretrained: Start the trunk from ImageNet weights if there are any.

    Raises:
        UserError: The builder is unknown, or an argument is unknown or of a wrong type or range.
    """
    build = find_builder(builder)
    types = typing.get_type_hints(build)
    known = [name for name in inspect.signature(build).parameters if name != "pretrained"]
    checked: dict[str, Any] = {}
    for name, value in arguments.items():
        if name in STATISTICS:
            checked[name] = _check_statistics(builder, name, value)
            continue
        if name == GATE:
            checked[name] = _check_argument(builder, name, value, int)
            continue
        if name not in known:
            near = find_nearest(name, known, least=0.0)
            raise UsageError(f"{builder} has no argument {name!r}; the nearest is '{near}'.")
        checked[name] = _check_argument(builder, name, value, types[name])
    own = {name: value for name, value in checked.items() if name not in {*STATISTICS, GATE}}
    network = build(**own, pretrained=pretrained)
    for name in STATISTICS & checked.keys():
        getattr(network, name).copy_(torch.tensor(checked[name]).view(1, 3, 1, 1))
    if GATE in checked:
        network.gate = BenefitGate(network.head.out_channels, checked[GATE])  # type: ignore[arg-type]
    # Convolutions are faster with channels last; depthwise ones in bf16 on CPUs several times.
    network = network.to(memory_format=torch.channels_last)
    network.builder = builder
    network.builder_arguments = checked
    return network


def build_outline(builder: str, arguments: Mapping[str, Any]) -> SegmentationNetwork:
    """``build_network`` on torch's meta device: tensors have names and shapes, but no memory."""
    with torch.device("meta"), _Unfilled():
        return build_network(builder, arguments)


class _Unfilled(TorchFunctionMode):
    """Skips filling new tensors: on the meta device torch would load its compiler for it, which
    takes longer than everything else.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.Tensor.normal_, torch.Tensor.uniform_):
            return args[0]
        return func(*args, **(kwargs or {}))


def _check_argument(builder: str, name: str, value: Any, kind: Any) -> Any:
    """``value`` as ``kind``, one of the types that builders take; UsageError if it is another."""
    if kind is bool and isinstance(value, bool):
        return value
    if kind == int | None and value is None:
        return None
    if kind in (int, int | None) and _is_number(value) and isinstance(value, int):
        if 1 <= value <= LARGEST_INTEGER:
            return value
    elif kind is float and _is_number(value):
        return float(value)
    elif kind is str and isinstance(value, str):
        return value
    elif kind == tuple[float, ...] | None:
        if value is None:
            return None
        is_short = isinstance(value, list | tuple) and len(value) <= MOST_SCALES
        if is_short and all(_is_number(item) for item in value):
            return check_scales(value)
    raise UsageError(f"{builder}'s argument {name} cannot be {value!r:.40}.")


def _check_statistics(builder: str, name: str, value: Any) -> tuple[float, ...]:
    """Three numbers in [0, 1], for ``std`` above 0; UsageError for anything else."""
    lowest = SMALLEST_STD if name == "std" else 0.0
    if (
        isinstance(value, list | tuple)
        and len(value) == 3
        and all(_is_number(part) and lowest <= part <= 1 for part in value)
    ):
        return tuple(float(part) for part in value)
    raise UsageError(
        f"{builder}'s argument {name} cannot be {value!r:.40}; give three from 0 to 1."
    )


def _is_number(value: Any) -> bool:
    """Whether a value is an int or float that a float can hold; True and False are not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max
