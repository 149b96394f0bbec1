"""Loading networks from checkpoints, run folders, and the weights in the package."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from hierseg.checkpoint.finding import find_weights
from hierseg.checkpoint.foreign import (
    container_of,
    load_foreign,
    read_foreign,
    read_foreign_tensors,
    recognise,
    recognise_trunk,
)
from hierseg.checkpoint.format import TRUNK_KEY, Header, not_readable, read_header
from hierseg.errors import UsageError, UserError
from hierseg.models import CONVENTIONS, SegmentationNetwork, build_network
from hierseg.models.network import IMAGENET_MEAN, IMAGENET_STD, check_scales

_log = logging.getLogger(__name__)
# How many tensors an error names before it only counts.
SHOWN = 10


def load_model(
    source: str | Path | None = None, device: str | torch.device = "cpu"
) -> SegmentationNetwork:
    """A network with its weights, in evaluation mode and float32; ``header`` is the file's.

    Args:
        source: A checkpoint file, a run folder, the name of packaged weights, or None for the
            model in the box. A published checkpoint of torch or Paddle is converted in memory,
            and the log says what was recognised.
        device: Where to put it.

    Raises:
        UserError: No such weights, or a damaged, unknown or newer file, or no such device.
    """
    path = find_weights(source)
    if container_of(path) is not None:
        converted = load_foreign(path)
        # A warning, so that it is seen without any setting: what a file is was found out here.
        _log.warning(converted.remark)
        return place_network(converted.network, device)
    header = read_header(path)
    network = _build(header, path)
    tensors = read_tensors(path)
    expected = network.state_dict()
    _check_names(path, expected.keys(), tensors.keys())
    _check_shapes(path, expected, tensors)
    network.load_state_dict(tensors)
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
    _log.warning(remark)
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
    network = _build(read_header(path), path)
    return network.mean.flatten().tolist(), network.std.flatten().tolist()


def is_trunk(path: Path) -> bool:
    """Whether a file is a trunk that ``hierseg convert`` made of an ImageNet classifier."""
    try:
        with safe_open(path, framework="pt") as file:
            return TRUNK_KEY in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def _build(header: Header, path: Path) -> SegmentationNetwork:
    """The network that a header describes, with random weights."""
    try:
        network = build_network(header.builder, header.arguments)
        network.scales = check_scales(header.scales)
    except UserError as error:
        raise UserError(f"{path} cannot be loaded: {error}") from error
    except RecursionError as error:  # Arguments nested deeply enough to be read, but not shown.
        raise UserError(f"{path} is damaged: its builder's arguments are no arguments.") from error
    if network.num_classes != header.label_space.num_classes:
        raise UserError(
            f"{path} is damaged: its network has {network.num_classes} classes, its label space "
            f"{header.label_space.num_classes}."
        )
    if network.align_corners != header.align_corners:
        raise UserError(f"{path} is damaged: it states align_corners in two ways.")
    return network


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file; UserError where it cannot be read."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, AttributeError) as error:
        raise not_readable(path) from error


def _check_names(path: Path, expected: Iterable[str], found: Iterable[str]) -> None:
    missing = sorted(set(expected) - set(found))
    surplus = sorted(set(found) - set(expected))
    parts = [
        f"{len(names)} tensors are {what} ({', '.join(names[:SHOWN])}"
        + (", ...)" if len(names) > SHOWN else ")")
        for what, names in (("missing", missing), ("unknown", surplus))
        if names
    ]
    if parts:
        raise UserError(f"{path} does not fit its network: {' and '.join(parts)}.")


def _check_shapes(path: Path, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    wrong = [name for name in sorted(expected) if expected[name].shape != found[name].shape]
    if wrong:
        first = f"{wrong[0]} {tuple(found[wrong[0]].shape)} for {tuple(expected[wrong[0]].shape)}"
        raise UserError(
            f"{path} does not fit its network: {len(wrong)} tensors have another shape ({first})."
        )


def place_network(network: SegmentationNetwork, device: str | torch.device) -> SegmentationNetwork:
    """The network on a device; UsageError where that is not there."""
    try:
        return network.to(torch.device(device))
    except (RuntimeError, AssertionError, TypeError) as error:
        raise UsageError(f"the device '{device}' is not there; use --device cpu.") from error
