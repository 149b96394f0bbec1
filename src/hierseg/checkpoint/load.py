"""Loading networks from checkpoints, run folders, and the weights in the package."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hierseg.checkpoint.finding import find_weights
from hierseg.checkpoint.foreign.converting import load_foreign, read_foreign_tensors
from hierseg.checkpoint.foreign.fitting import count_tensors, describe_type, is_alike, list_some
from hierseg.checkpoint.foreign.reading import container_of, read_foreign
from hierseg.checkpoint.foreign.recognition import recognise, recognise_trunk
from hierseg.checkpoint.format import (
    TRUNK_KEY,
    Header,
    header_in,
    not_readable,
    open_file,
    read_header,
)
from hierseg.checkpoint.raw import no_memory
from hierseg.checkpoint.tensor_files import Entry, TensorFile
from hierseg.errors import UsageError, UserError, make_printable
from hierseg.models import (
    CONVENTIONS,
    IMAGENET_MEAN,
    IMAGENET_STD,
    SegmentationNetwork,
    build_network,
    build_outline,
)

_log = logging.getLogger(__name__)


def load_model(
    source: str | Path | None = None, device: str | torch.device = "cpu"
) -> SegmentationNetwork:
    """A network with its weights, in evaluation mode and float32; ``header`` is the file's.

    Args:
        source: A checkpoint file, a run folder, the name of packaged weights, or None for the
            model in the box. A published checkpoint of torch or Paddle is converted in memory,
            and the log says what was recognised.
        device: Where to put it.

    Returns:
        A ``torch.nn.Module``: RGB images in, logits out.

    Raises:
        UserError: No such weights, or a damaged, unknown or newer file, or no such device.

    Example:
        network = hierseg.load_model("runs/first", device="cuda")
    """
    path = find_weights(source)
    if container_of(path) is not None:
        converted = load_foreign(path)
        # A warning, so that it is seen without any setting: what a file is was found out here.
        _log.warning(make_printable(converted.remark))
        return place_network(converted.network, device)
    opened = open_file(path)
    header = header_in(opened)
    network = _build(header, opened)
    network.load_state_dict(_read(opened))
    network.header = header
    return place_network(network.float().eval(), device)


def read_weights(source: str | Path) -> dict[str, Tensor]:
    """The tensors of weights by name, without their network, to start another one from.

    Args:
        source: As ``load_model`` has it; also an ImageNet classifier, or a file of its trunk, of
            which the trunk's tensors come (``trunk.`` first).

    Raises:
        UserError: No such weights, or a damaged or unknown file.
    """
    path = find_weights(source)
    if container_of(path) is None:
        if not is_trunk(path):
            read_header(path)  # which refuses what is no checkpoint
        return read_tensors(path)
    tensors, remark = read_foreign_tensors(path)
    _log.warning(make_printable(remark))
    return tensors


def read_conventions(source: str | Path) -> dict[str, Any]:
    """How the network of weights normalises and resizes, which its tensors do not show.

    Args:
        source: As ``read_weights`` has it.

    Returns:
        Those arguments of its builder (``mean``, ``std``, ``align_corners``) that are not the
        builder's own; none of an ImageNet classifier or its trunk.

    Raises:
        UserError: No such weights, or a damaged or unknown file.
    """
    path = find_weights(source)
    arguments: Mapping[str, Any] = {}
    if container_of(path) is not None:
        tensors = read_foreign(path).tensors
        if recognise_trunk(tensors) is None:
            arguments = recognise(tensors, str(path)).arguments
    elif not is_trunk(path):
        arguments = read_header(path).arguments
    return {name: arguments[name] for name in CONVENTIONS if name in arguments}


def find_statistics(source: str | Path) -> tuple[list[float], list[float]] | None:
    """Mean and std that the network of weights normalises by, also where they are its builder's
    own; None for an ImageNet classifier or its trunk. Errors as ``read_conventions``.
    """
    path = find_weights(source)
    if container_of(path) is not None:
        is_network = recognise_trunk(read_foreign(path).tensors) is None
        return (list(IMAGENET_MEAN), list(IMAGENET_STD)) if is_network else None
    if is_trunk(path):
        return None
    opened = open_file(path)
    network = _build(header_in(opened), opened)
    return network.mean.flatten().tolist(), network.std.flatten().tolist()


def is_trunk(path: Path) -> bool:
    """Whether a file is a trunk that ``hierseg convert`` made of an ImageNet classifier."""
    try:
        return TRUNK_KEY in open_file(path).metadata
    except UserError:
        return False


def _build(header: Header, opened: TensorFile) -> SegmentationNetwork:
    """The network that a header describes, with random weights.

    It is drawn without its numbers first: a file that does not hold them asks for no memory.
    """
    path = opened.path
    try:
        outline = build_outline(header.builder, header.arguments)
    except UserError as error:
        raise UserError(f"{path} cannot be loaded: {error}") from error
    except RecursionError as error:  # Arguments nested deeply enough to be read, but not shown.
        raise UserError(f"{path} is damaged: its builder's arguments are no arguments.") from error
    if outline.num_classes != header.label_space.num_classes:
        raise UserError(
            f"{path} is damaged: its network has {outline.num_classes} classes, its label space "
            f"{header.label_space.num_classes}."
        )
    if outline.align_corners != header.align_corners:
        raise UserError(f"{path} is damaged: it states align_corners in two ways.")
    _check_tensors(path, outline.state_dict(), opened.entries)
    network = build_network(header.builder, header.arguments)
    network.scales = header.scales
    return network


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file; UserError where it cannot be read."""
    return _read(open_file(path))


def _read(opened: TensorFile) -> dict[str, Tensor]:
    try:
        return opened.read()
    except MemoryError as error:
        raise no_memory(opened.path) from error
    except (OSError, ValueError, RuntimeError) as error:
        raise not_readable(opened.path) from error


def _check_tensors(path: Path, expected: Mapping[str, Tensor], found: Mapping[str, Entry]) -> None:
    """UserError unless names, shapes and kinds of numbers are those of the network."""
    parts = [
        f"{count_tensors(names)} {what} ({list_some(sorted(names))})"
        for what, names in (
            ("missing", expected.keys() - found.keys()),
            ("unknown", found.keys() - expected.keys()),
        )
        if names
    ]
    if parts:
        raise UserError(f"{path} does not fit its network: {' and '.join(parts)}.")
    wrong = [
        f"{name} {tuple(found[name].shape)} for {tuple(tensor.shape)}"
        for name, tensor in sorted(expected.items())
        if tensor.shape != found[name].shape
    ]
    if wrong:
        raise UserError(
            f"{path} does not fit its network: {count_tensors(wrong)} of another shape "
            f"({wrong[0]})."
        )
    kinds = [
        f"{name} {describe_type(found[name].dtype)}"
        for name, tensor in sorted(expected.items())
        if not is_alike(tensor.dtype, found[name].dtype)
    ]
    if kinds:
        raise UserError(
            f"{path} does not fit its network: {count_tensors(kinds)} of another type "
            f"({list_some(kinds)})."
        )


def place_network(network: SegmentationNetwork, device: str | torch.device) -> SegmentationNetwork:
    """The network on a device; UsageError where that is not there."""
    try:
        return network.to(torch.device(device))
    except (RuntimeError, AssertionError, TypeError) as error:
        raise UsageError(f"the device '{device}' is not there; use --device cpu.") from error
