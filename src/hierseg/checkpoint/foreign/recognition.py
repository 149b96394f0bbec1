"""Recognises the published network in a file by the names and shapes of its tensors."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from torch import Tensor

from hierseg.checkpoint.foreign.structure import Shape, infer_arguments
from hierseg.checkpoint.published.catalog import PUBLICATIONS
from hierseg.checkpoint.published.deeplab import WIDE_RESNET_IMAGENET, XCEPTION_IMAGENET
from hierseg.checkpoint.published.key_table import KeyTable
from hierseg.checkpoint.published.official_hrnet import HRNET_IMAGENET
from hierseg.errors import UserError
from hierseg.models import (
    MODELS,
    PUBLISHED_NAMES,
    build_outline,
    describe_model,
    find_builder,
)

COUNTER = "num_batches_tracked"

# With a smaller share of known names a file holds another network, not a damaged one of these.
FEWEST_KNOWN = 0.5


class TrunkPublication(NamedTuple):
    """A kind of published ImageNet classifier whose trunk can be used.

    Attributes:
        table: The trunk's published names and hierseg's.
        left_out: Prefixes of the classifier's names.
        title: Its name in sentences.
    """

    table: KeyTable
    left_out: tuple[str, ...]
    title: str


TRUNK_PUBLICATIONS: dict[str, TrunkPublication] = {
    "hrnet-imagenet": TrunkPublication(
        HRNET_IMAGENET,
        ("incre_modules.", "downsamp_modules.", "final_layer.", "classifier."),
        "HRNetV2",
    ),
    "wrn38-imagenet": TrunkPublication(
        WIDE_RESNET_IMAGENET, ("bn_out.", "classifier."), "WideResNet-38"
    ),
    "xception71-imagenet": TrunkPublication(XCEPTION_IMAGENET, ("fc.",), "Xception-71"),
}


class Recognised(NamedTuple):
    """A published network in a file.

    Attributes:
        publication: A key of ``PUBLICATIONS``.
        builder: The builder of the network.
        arguments: The builder's arguments.
        num_classes: Classes of its logits.
        shapes: hierseg's names and shapes of the network's tensors.
        ignored: The arch that the file states, if its tensors contradict it; else None.
    """

    publication: str
    builder: str
    arguments: dict[str, Any]
    num_classes: int
    shapes: dict[str, Shape]
    ignored: str | None = None

    @property
    def table(self) -> KeyTable:
        """Published names and hierseg's."""
        return PUBLICATIONS[self.publication].table

    @property
    def model(self) -> str:
        """The registry name of the network; if that name states another width, as HRNets' names do,
        builder and widths instead.
        """
        published = PUBLICATIONS[self.publication].model
        defaults = _defaults(self.builder)
        stock = defaults | _stock_arguments(self.publication)
        own = {name: value for name, value in self.arguments.items() if stock[name] != value}
        if not own.keys() & {"width", "small"} or not self.builder.startswith("hrnet"):
            return published
        aligned = PUBLICATIONS[self.publication].arguments
        for name, (builder, arguments, _) in MODELS.items():
            if builder == self.builder and stock | own == defaults | arguments | aligned:
                return name
        return ", ".join([self.builder, *(f"{name} {value}" for name, value in own.items())])

    def expected(self, num_classes: int) -> dict[str, Shape]:
        """hierseg's names and shapes if the network had ``num_classes`` classes."""
        if num_classes == self.num_classes:
            return self.shapes
        return own_shapes(self.builder, {**self.arguments, "num_classes": num_classes})


def own_shapes(builder: str, arguments: Mapping[str, Any]) -> dict[str, Shape]:
    """Names and shapes of a network's tensors, without allocating them."""
    state = build_outline(builder, arguments).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def recognise_trunk(names: Iterable[str]) -> str | None:
    """The key of ``TRUNK_PUBLICATIONS`` that has these published names, or None.

    A file with a layer of a segmentation head is not a classifier.
    """
    names = list(names)
    tables = {id(publication.table): publication.table for publication in PUBLICATIONS.values()}
    for table in tables.values():
        if any((table.to_own(name) or "").startswith("head.") for name in names):
            return None
    for key, publication in TRUNK_PUBLICATIONS.items():
        rest = [name for name in names if not name.startswith(publication.left_out)]
        known = sum(publication.table.to_own(name) is not None for name in rest)
        if known > FEWEST_KNOWN * len(rest):
            return key
    return None


def recognise(
    tensors: Mapping[str, Tensor],
    source: str,
    model: str | None = None,
    arch: str | None = None,
) -> Recognised:
    """The published network that has these tensors.

    Args:
        tensors: Tensors by published name.
        source: The file's name in errors.
        model: Registry name that the network must have; None to recognise it.
        arch: The arch that the file states. It decides between networks with the same tensors, and
            is ignored if the tensors contradict it.

    Raises:
        UserError: No published network has these tensors, or ``model`` does not.
    """
    every = list(PUBLICATIONS)
    if model is None:
        stated = _find_stated(arch)
        found = _recognise(tensors, source, every, stated)
        is_other = stated and found.publication not in stated
        return found._replace(ignored=arch) if is_other else found
    keys = _find_published(model)
    if not keys:
        with suppress(UserError):  # its widths may differ from the publication's
            found = _recognise(tensors, source, every, [])
            if found.model == model:
                return found
        known = ", ".join(dict.fromkeys(p.model for p in PUBLICATIONS.values()))
        raise UserError(
            f"no publication of the network '{model}' is known, so {source} cannot be "
            f"converted to it; give one of {known}."
        )
    try:
        found = _recognise(tensors, source, every, keys)
    except UserError:
        return _recognise(tensors, source, keys, keys, model)
    if found.publication not in keys:
        raise UserError(
            f"{source} holds {found.publication} ({found.model}), not a published form of "
            f"'{model}'; leave --model out, or give --model "
            f"{PUBLICATIONS[found.publication].model}."
        )
    return found


def _find_published(model: str) -> list[str]:
    """The publications of a network, given by its registry name or its published name."""
    wanted = describe_model(model)
    return [key for key in PUBLICATIONS if describe_model(PUBLICATIONS[key].model) == wanted]


def _find_stated(arch: str | None) -> list[str]:
    """The publications of a stated arch, with or without its package; none for an unknown one."""
    for name in (f"{arch}", f"network.{arch}", f"{arch}".removeprefix("network.")):
        if name in PUBLISHED_NAMES:
            return _find_published(name)
    return []


def _recognise(
    tensors: Mapping[str, Tensor],
    source: str,
    keys: list[str],
    preferred: list[str],
    model: str | None = None,
) -> Recognised:
    """Of these publications the one that knows the most names."""
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    best: dict[str, Shape] = {}
    table: KeyTable | None = None
    for candidate in {
        id(PUBLICATIONS[key].table): PUBLICATIONS[key].table for key in keys
    }.values():
        own = {
            translated: shape
            for name, shape in shapes.items()
            if (translated := candidate.to_own(name)) is not None
        }
        if len(own) > len(best):
            best, table = own, candidate
    if table is None or len(best) < FEWEST_KNOWN * len(shapes):
        have = "1 has" if len(best) == 1 else f"{len(best)} have"
        tensor = "1 tensor" if len(shapes) == 1 else f"{len(shapes)} tensors"
        raise UserError(
            f"{source} holds no published network that hierseg knows"
            + (f" by '{model}'" if model else "")
            + f": of its {tensor} {have} a known name."
        )
    same_table = [key for key in keys if PUBLICATIONS[key].table is table]
    return _choose(same_table, preferred, best, source)


_STRUCTURE = ("trunk", "combine", "hierarchical", "aspp", "refined", "cell")
_SAME_TENSORS = {"fuse": "hierarchical"}
"""A way to combine scales -> the way assumed for its tensors, which several ways share."""


def _choose(
    keys: list[str], preferred: list[str], own: Mapping[str, Shape], source: str
) -> Recognised:
    """The publication that fits best, with its own or the file's widths; of several that fit
    equally a preferred one, else the first.
    """
    found = infer_arguments(own)
    stock = {key: _stock_arguments(key) for key in keys}

    def agreement(key: str) -> tuple[int, bool]:
        defaults = _defaults(describe_model(PUBLICATIONS[key].model).builder) | stock[key]
        alike = sum(
            found.get(name) == _SAME_TENSORS.get(str(defaults.get(name)), defaults.get(name))
            for name in _STRUCTURE
        )
        return alike, key in preferred

    key = max(keys, key=agreement)
    builder = describe_model(PUBLICATIONS[key].model).builder
    classes = found.pop("num_classes", 19)
    defaults = _defaults(builder) | stock[key]
    way = str(defaults.get("combine"))
    if way in _SAME_TENSORS and found.get("combine") == _SAME_TENSORS[way]:
        found["combine"] = way
    changed = {name: value for name, value in found.items() if defaults.get(name) != value}
    best: tuple[int, Recognised] | None = None
    # Published widths first; the file's own widths are inferred only if those do not fit.
    for arguments in (stock[key], stock[key] | changed):
        try:
            shapes = own_shapes(builder, {**arguments, "num_classes": classes})
        except UserError:  # Widths that no network can have, from a damaged file.
            continue
        misfits = sum(shapes.get(name) != own.get(name) for name in shapes.keys() | own.keys())
        if best is None or misfits < best[0]:
            best = misfits, Recognised(key, builder, arguments, classes, shapes)
        if not misfits or not changed:
            break
    if best is None:
        raise UserError(f"{source} is damaged: it has {classes} classes, more than a network can.")
    return best[1]


def _stock_arguments(key: str) -> dict[str, Any]:
    publication = PUBLICATIONS[key]
    return {**describe_model(publication.model).arguments, **publication.arguments}


def _defaults(builder: str) -> dict[str, Any]:
    parameters = inspect.signature(find_builder(builder)).parameters
    return {name: parameter.default for name, parameter in parameters.items()}
