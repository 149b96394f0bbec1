"""Converts foreign checkpoints to networks of hierseg, or to trunks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from hierseg.checkpoint.foreign.fitting import Fitted, complete_tensors, fit_tensors
from hierseg.checkpoint.foreign.label_spaces import match_label_space, read_classes
from hierseg.checkpoint.foreign.reading import ForeignWeights, Form
from hierseg.checkpoint.foreign.recognition import (
    TRUNK_PUBLICATIONS,
    Recognised,
    own_shapes,
    recognise,
)
from hierseg.checkpoint.foreign.structure import infer_arguments
from hierseg.checkpoint.format import TRUNK_KEY, not_readable, open_tensor_file
from hierseg.checkpoint.save import describe_network, save_tensors
from hierseg.checkpoint.tensor_files import list_some
from hierseg.errors import UserError
from hierseg.labels import LabelSpace
from hierseg.models import SegmentationNetwork, build_network

ChooseSpace = Callable[[int], LabelSpace]


class Conversion(NamedTuple):
    """A converted foreign file.

    Attributes:
        network: The network, in evaluation mode, with its header.
        remark: A sentence that says what was recognised.
    """

    network: SegmentationNetwork
    remark: str


class TrunkConversion(NamedTuple):
    """The trunk of an ImageNet classifier.

    Attributes:
        tensors: The trunk's tensors by hierseg's names, which begin with ``trunk.``.
        metadata: Metadata of a trunk file.
        remark: A sentence that says what was recognised.
    """

    tensors: dict[str, Tensor]
    metadata: dict[str, Any]
    remark: str


def convert_network(
    weights: ForeignWeights,
    model: str | None = None,
    choose_space: ChooseSpace | None = None,
    replace_head: bool = False,
) -> Conversion:
    """The network of a foreign file.

    Args:
        weights: The file.
        model: Registry name that the network must have; None to recognise it.
        choose_space: Returns the label space for the file's number of classes; None for those of
            the publications.
        replace_head: Start the classification layers from random weights, with the classes of the
            label space.

    Raises:
        UserError: The file has no known network or does not fit it, or its classes are unknown.
    """
    source = str(weights.path)
    if weights.classifier is not None:
        raise UserError(
            f"{source} holds an ImageNet classifier, of which only the trunk can be used: train "
            "from it with --model.init-trunk."
        )
    found = weights.recognised if model is None else recognise(weights.tensors, source, model)
    space = (
        choose_space(found.num_classes)
        if choose_space
        else read_classes(weights.meta, found.num_classes)
    )
    classes = space.num_classes if space is not None and replace_head else found.num_classes
    fitted = fit_tensors(
        weights.tensors, found.table, found.expected(classes), source, replace_head
    )
    space = match_label_space(classes, source, space)
    network = build_network(found.builder, {**found.arguments, "num_classes": classes})
    network.load_state_dict(complete_tensors(fitted, network.state_dict()))
    network.header = describe_network(
        network,
        space,
        record=_record(weights, found, fitted),
        extra={"published": describe_form(found.publication, weights, fitted)},
    )
    return Conversion(network.float().eval(), _remark(weights, found, fitted, space))


def convert_tensors(weights: ForeignWeights) -> tuple[dict[str, Tensor], str]:
    """A foreign file's tensors by hierseg's names (of an ImageNet classifier, the trunk's), and a
    remark.

    Any number of classes is accepted. UserError if the file does not fit its own network.
    """
    if weights.classifier is not None:
        trunk = convert_trunk(weights)
        return trunk.tensors, trunk.remark
    found = weights.recognised
    fitted = fit_tensors(weights.tensors, found.table, found.shapes, str(weights.path))
    return fitted.tensors, _remark(weights, found, fitted, None)


def translate_loosely(weights: ForeignWeights) -> tuple[dict[str, Tensor], str]:
    """A foreign file's tensors, by hierseg's names if they have one, without checking that they fit
    a network; and a remark.
    """
    table = weights.recognised.table
    tensors = {table.to_own(name) or name: tensor for name, tensor in weights.tensors.items()}
    fitted = Fitted(tensors, counters=True, replaced=())
    return tensors, _remark(weights, weights.recognised, fitted, None)


def convert_trunk(weights: ForeignWeights) -> TrunkConversion:
    """The trunk of an ImageNet classifier; the classification layers are left out.

    Raises:
        UserError: The file is not a classifier of a known trunk, or does not fit it.
    """
    source = str(weights.path)
    key = weights.classifier
    if key is None:
        raise UserError(f"{source} is not an ImageNet classifier of a trunk that hierseg knows.")
    publication = TRUNK_PUBLICATIONS[key]
    left_out = [name for name in weights.tensors if name.startswith(publication.left_out)]
    rest = {name: value for name, value in weights.tensors.items() if name not in set(left_out)}
    shapes = {
        own: tuple(tensor.shape)
        for name, tensor in rest.items()
        if (own := publication.table.to_own(name)) is not None
    }
    expected, arguments = _expected_trunk(key, shapes)
    fitted = fit_tensors(rest, publication.table, expected, source)
    remark = f"{weights.path.name}: the trunk of {publication.title}, {len(fitted.tensors)} tensors"
    if left_out:
        remark += f"; {len(left_out)} of the classifier are left out ({list_some(left_out)})"
    metadata = {
        "format_version": 1,
        "trunk": arguments,
        "published": describe_form(key, weights, fitted),
    }
    return TrunkConversion(fitted.tensors, metadata, remark + ".")


def _expected_trunk(
    key: str, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, tuple[int, ...]], dict[str, Any]]:
    """hierseg's names and shapes of the trunk that fits best, of published or other widths."""
    builder = "hrnet_plain" if key == "hrnet-imagenet" else "deeplab"
    names = ("width", "small") if builder == "hrnet_plain" else ("trunk", "width", "shallow")
    found = infer_arguments(shapes)
    best: tuple[int, dict[str, tuple[int, ...]], dict[str, Any]] | None = None
    published = {} if builder == "hrnet_plain" else {"trunk": found["trunk"]}
    for arguments in (published, {name: found[name] for name in names if name in found}):
        try:
            state = own_shapes(builder, arguments)
        except UserError:  # Widths that no trunk can have, from a damaged file.
            continue
        expected = {name: shape for name, shape in state.items() if name.startswith("trunk.")}
        misfits = sum(
            expected.get(name) != shapes.get(name) for name in expected.keys() | shapes.keys()
        )
        if best is None or misfits < best[0]:
            best = misfits, expected, arguments
    assert best is not None
    return best[1], best[2]


def save_trunk(path: Path, trunk: TrunkConversion) -> None:
    """Write a trunk as safetensors; the file is written whole or not at all."""
    tensors = {name: tensor.contiguous() for name, tensor in trunk.tensors.items()}
    save_tensors(path, tensors, {TRUNK_KEY: json.dumps(trunk.metadata)})


def read_trunk(path: Path) -> TrunkConversion:
    """Read a file of ``save_trunk``; UserError if it is damaged or another file."""
    try:
        opened = open_tensor_file(path)
        metadata = json.loads(opened.metadata[TRUNK_KEY])
        tensors = opened.read()
        key, _ = read_form(metadata["published"])
        title = TRUNK_PUBLICATIONS[key].title
    except (OSError, ValueError, LookupError, TypeError, RuntimeError) as error:
        raise not_readable(path) from error
    return TrunkConversion(tensors, metadata, f"{path.name}: the trunk of {title}.")


def describe_form(publication: str, weights: ForeignWeights, fitted: Fitted) -> dict[str, Any]:
    """What is needed to write the publication's form again, as JSON holds it."""
    form = replace(weights.form, counters=fitted.counters)
    return {"publication": publication, **asdict(form)}


def read_form(described: Mapping[str, Any]) -> tuple[str, Form]:
    """The inverse of ``describe_form``; TypeError or KeyError for anything else."""
    fields = dict(described)
    publication = str(fields.pop("publication"))
    for name, value in fields.items():
        if type(value) is not type(getattr(Form(), name, None)):
            raise TypeError(name)
    return publication, Form(**fields)


def _record(weights: ForeignWeights, found: Recognised, fitted: Fitted) -> dict[str, Any]:
    record: dict[str, Any] = {"model": found.model, "converted_from": weights.path.name}
    if weights.about:
        record["published"] = dict(weights.about)
    if fitted.replaced:
        record["replaced"] = list(fitted.replaced)
    return record


def _remark(
    weights: ForeignWeights, found: Recognised, fitted: Fitted, space: LabelSpace | None
) -> str:
    classes = f"{found.num_classes} classes"
    if space is not None:
        classes = f"{space.num_classes} classes of {space.name}"
    parts = [f"{weights.path.name}: {found.publication} ({found.model}), {classes}"]
    if found.ignored is not None:
        parts.append(f"the arch that it states ({found.ignored}) is of another network: ignored")
    if fitted.replaced:
        parts.append(f"starting from random weights are {', '.join(fitted.replaced)}")
    if weights.beside:
        parts.append(f"ignored as no part of the network: {list_some(weights.beside)}")
    if weights.averaged is not None:
        parts.append(
            f"its moving average ({weights.averaged}) is not used; `hierseg convert --ema` takes it"
        )
    return "; ".join(parts) + "."
