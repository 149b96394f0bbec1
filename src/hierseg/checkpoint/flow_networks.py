"""Networks of flow in files: SDC-Net in our form and in the published one, torchvision's RAFT."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from hierseg.checkpoint.foreign.reading import read_foreign
from hierseg.checkpoint.format import FLOW_KEY, not_readable, open_tensor_file
from hierseg.checkpoint.load import check_tensors
from hierseg.checkpoint.opening import container_of, no_memory
from hierseg.checkpoint.published.key_table import KeyTable
from hierseg.checkpoint.save import save_tensors
from hierseg.errors import UserError
from hierseg.files import saving
from hierseg.flow import FRAMES, PUBLISHED_LAYERS, RAFT_SIZES, SdcNet, build_raft

FORMAT_VERSION = 1
_TABLE = KeyTable(
    [
        (published if published == "final_flow" else f"{published}.0", own)
        for published, own in PUBLISHED_LAYERS.items()
    ]
)
_CONSTANTS = ("flow_mean", "flow_std", "rgb_mean")
"""What the published form keeps beside the layers; the last is not used by the network."""
_LAST = "final_flow.weight"
_PREFIX = "module."

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class FlowWeights:
    """An SDC-Net and how it was trained.

    Attributes:
        network: In evaluation mode, float32.
        record: What training wrote of itself; empty for a published file.
    """

    network: SdcNet
    record: Mapping[str, Any]


def save_sdcnet(path: Path, network: SdcNet, record: Mapping[str, Any] | None = None) -> None:
    """Write an SDC-Net; the file appears whole or not at all.

    Args:
        path: The file, ``.safetensors``; its folder must exist.
        network: The network.
        record: How it was trained, as JSON can hold it.

    Raises:
        UserError: It cannot be written.
    """
    described = {
        "format_version": FORMAT_VERSION,
        "network": "sdcnet",
        "arguments": network.arguments,
        "record": dict(record or {}),
    }
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_tensors(path, tensors, {FLOW_KEY: json.dumps(described, allow_nan=False)})


def write_published_sdcnet(path: Path, network: SdcNet) -> None:
    """Write an SDC-Net in the published form (``sdc_cityscapes_vrec.pth.tar``).

    The mean colour that it has room for is written as zeros: no network uses it.
    """
    constants: dict[str | None, Tensor] = {
        "flow_mean": network.mean[None],
        "flow_std": network.std[None],
        "rgb_mean": torch.zeros(1, 3, 1, 1),
    }
    named = {_TABLE.to_published(own): value for own, value in network.state_dict().items()}
    content = {
        f"{_PREFIX}{name}": value.detach().cpu().contiguous()
        for name, value in {**constants, **named}.items()
    }
    with saving(path) as part:
        try:
            torch.save({"state_dict": content, "arch": "SDCNet2DRecon"}, part)
        except RuntimeError as error:  # what torch makes of a full disk
            raise UserError(f"{path} cannot be written ({error}).") from error


def holds_sdcnet(path: Path) -> bool:
    """Whether a file of ours is an SDC-Net; UserError where it is damaged."""
    return container_of(path) is None and FLOW_KEY in open_tensor_file(path).metadata


def is_sdcnet(tensors: Mapping[str, Tensor]) -> bool:
    """Whether these, under their published names, are an SDC-Net's."""
    return _LAST in tensors


def load_sdcnet(path: Path) -> FlowWeights:
    """An SDC-Net out of a file of ours or of the published form.

    Raises:
        UserError: The file is missing, damaged, or of another network.
    """
    try:
        if container_of(path) is None:
            return _load_own(path)
        return _load_published(path)
    except MemoryError as error:
        raise no_memory(path) from error


def _load_own(path: Path) -> FlowWeights:
    opened = open_tensor_file(path)
    if FLOW_KEY not in opened.metadata:
        raise UserError(f"{path} holds no network of flow; name one that was trained for it.")
    try:
        described = json.loads(opened.metadata[FLOW_KEY])
        version, arguments = described["format_version"], dict(described["arguments"])
        record = dict(described["record"])
        if type(version) is not int or described["network"] != "sdcnet":
            raise ValueError("another network")
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UserError(f"{path} is damaged: its metadata describe no network of flow.") from error
    if version > FORMAT_VERSION:
        raise UserError(f"{path} is of a newer format; install a newer hierseg.")
    check_tensors(path, _outline(path, arguments).state_dict(), opened.entries)
    try:
        tensors = opened.read()
    except (OSError, ValueError, RuntimeError) as error:
        raise not_readable(path) from error
    return FlowWeights(_fill(SdcNet(**arguments), tensors), record)


def _load_published(path: Path) -> FlowWeights:
    found = dict(read_foreign(path).tensors)
    constants = {name: found.pop(name) for name in _CONSTANTS if name in found}
    first = found.get("conv1.0.weight")
    if first is None or first.ndim != 4:
        raise UserError(f"{path} is no SDC-Net: it has no layer conv1.")
    inputs = {5 * frames - 2: form for form, frames in FRAMES.items()}
    if first.shape[1] not in inputs:
        raise UserError(f"{path} is no SDC-Net of a known form: it takes {first.shape[1]} maps.")
    arguments: dict[str, Any] = {"form": inputs[first.shape[1]], "width": first.shape[0]}
    for name, key in (("mean", "flow_mean"), ("std", "flow_std")):
        if key in constants:
            arguments[name] = _read_pair(path, key, constants[key])
    tensors = {_TABLE.to_own(name) or name: tensor for name, tensor in found.items()}
    check_tensors(path, _outline(path, arguments).state_dict(), tensors)
    return FlowWeights(_fill(SdcNet(**arguments), tensors), {})


def _read_pair(path: Path, key: str, values: Tensor) -> list[float]:
    if values.numel() != 2 or not values.is_floating_point() or not values.isfinite().all():
        raise UserError(f"{path} is damaged: its {key} are not two numbers.")
    numbers: list[float] = values.flatten().float().tolist()
    return numbers


def _outline(path: Path, arguments: Mapping[str, Any]) -> nn.Module:
    """The network without its numbers: a file that does not hold them asks for no memory."""
    try:
        with torch.device("meta"):
            return SdcNet(**arguments)
    except UserError as error:
        raise UserError(f"{path} is damaged: {error}") from error
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise UserError(f"{path} is damaged: it describes no SDC-Net.") from error


def load_raft(path: Path) -> nn.Module:
    """torchvision's RAFT, large or small, with the weights of a file.

    Raises:
        UserError: The file is missing, damaged, or of another network.
    """
    tensors = read_foreign(path).tensors
    for size in RAFT_SIZES:
        with torch.device("meta"):
            expected = build_raft(size).state_dict()
        if expected.keys() == tensors.keys():
            check_tensors(path, expected, tensors)
            return _fill(build_raft(size), tensors)
    raise UserError(f"{path} is no RAFT of torchvision, large or small; name the file of one.")


def _fill(network: Network, tensors: Mapping[str, Tensor]) -> Network:
    network.load_state_dict(tensors)
    return network.float().eval()
