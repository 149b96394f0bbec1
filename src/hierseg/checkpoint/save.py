"""Writing checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from hierseg.checkpoint.format import FORMAT_VERSION, METADATA_KEY, Header
from hierseg.errors import UserError
from hierseg.files import saving
from hierseg.labels import LabelSpace
from hierseg.models import SegmentationNetwork
from hierseg.options import check_scales


def save_checkpoint(
    path: str | Path,
    network: SegmentationNetwork,
    label_space: LabelSpace,
    record: Mapping[str, Any] | None = None,
    state_dict: Mapping[str, Tensor] | None = None,
    scales: Sequence[float] | None = None,
    half: bool = False,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write a network with its label space as a checkpoint, whole or not at all.

    Args:
        path: The file to write; its folder must exist.
        network: A network of ``create_model`` or ``load_model``.
        label_space: The classes of its logits.
        record: How it was trained, as JSON can hold it.
        state_dict: Tensors to write instead of the network's own, for instance averaged ones.
        scales: Scales of evaluation; None for the network's.
        half: Write float tensors of two or more dimensions as float16. The others (biases, norms
            and their statistics) stay float32: variances may exceed float16's range, and they are a
            few thousandths of the file.
        extra: Further fields of the header, as JSON can hold them.

    Raises:
        UserError: The label space has another number of classes than the network, the scales are
            not valid, or the file cannot be written.
        ValueError: ``state_dict`` has other tensors than the network, or no registered builder made
            the network.

    Example:
        network = hierseg.create_model("lite0-ocr-hier", num_classes=2)
        space = hierseg.LabelSpace("lanes", ("lane", "other"), ((255, 0, 0), (0, 0, 0)), (1, 0))
        hierseg.save_checkpoint("lanes.safetensors", network, space)
    """
    path = Path(path)
    _require_label_space(label_space)
    if label_space.num_classes != network.num_classes:
        raise UserError(
            f"label space '{label_space.name}' has {label_space.num_classes} classes and the "
            f"network {network.num_classes}, so {path} is not written; give the network's own."
        )
    tensors = network.state_dict() if state_dict is None else state_dict
    if tensors.keys() != network.state_dict().keys():
        raise ValueError("state_dict does not have the network's tensors")
    header = describe_network(network, label_space, record, scales, extra)
    prepared = {name: _prepare(tensor, half) for name, tensor in tensors.items()}
    save_tensors(path, prepared, {METADATA_KEY: header.to_json()})


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file, whole or not at all; UserError if it cannot be written."""
    with saving(path) as part:
        mode = part.stat().st_mode
        try:
            save_file(dict(tensors), part, metadata=metadata)
        except SafetensorError as error:
            raise UserError(f"{path} cannot be written ({error}).") from error
        part.chmod(mode)  # safetensors creates files that only the owner can read


def _require_label_space(label_space: Any) -> None:
    if not isinstance(label_space, LabelSpace):
        raise UserError(f"{label_space!r:.100} is not a label space; give a hierseg.LabelSpace.")


def describe_network(
    network: SegmentationNetwork,
    label_space: LabelSpace,
    record: Mapping[str, Any] | None = None,
    scales: Sequence[float] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Header:
    """The header of a network's checkpoint; the arguments are those of ``save_checkpoint``."""
    if network.builder is None:
        raise ValueError("a network that no registered builder made cannot be saved")
    return Header(
        format_version=FORMAT_VERSION,
        builder=network.builder,
        arguments=network.builder_arguments,
        label_space=label_space,
        scales=network.scales if scales is None else check_scales(scales),
        align_corners=network.align_corners,
        record=dict(record or {}),
        extra=dict(extra or {}),
    )


def _prepare(tensor: Tensor, half: bool) -> Tensor:
    tensor = tensor.detach().cpu()
    if half and tensor.is_floating_point() and tensor.ndim >= 2:
        tensor = tensor.to(torch.float16)
    elif tensor.is_floating_point():
        tensor = tensor.to(torch.float32)
    return tensor.contiguous()
