"""Adding fields to a checkpoint's header; its tensors stay as they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from hierseg.checkpoint.format import METADATA_KEY, header_of
from hierseg.checkpoint.load import open_weights
from hierseg.checkpoint.save import save_checkpoint, save_tensors
from hierseg.models import SegmentationNetwork


def annotate_checkpoint(
    source: str | Path | None,
    out: str | Path,
    network: SegmentationNetwork,
    extra: Mapping[str, Any],
    changed: Mapping[str, Tensor] | None = None,
    record: Mapping[str, Any] | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint again with further fields in its header. The file is written whole or not
    at all.

    Args:
        source: The weights, as ``load_model`` takes them. Their tensors keep their types, float16
            included; a published checkpoint becomes one of hierseg's.
        out: The file to write, which may be the same; its folder must exist.
        network: The network that ``load_model`` made of them.
        extra: Fields of the header's ``extra`` to set, as JSON can hold them; None removes a field.
        changed: Tensors by name to write instead of the weights' own, of the same shape; with
            ``arguments`` also new ones.
        record: Fields of the training record to set, likewise.
        arguments: Arguments of the builder to set. ``network`` was built with them.

    Raises:
        UserError: The weights cannot be read, or the file cannot be written.
    """
    weights, out = open_weights(source), Path(out)
    if weights.container is not None:
        header = header_of(network)
        tensors = {**network.state_dict(), **(changed or {})}
        save_checkpoint(
            out,
            network,
            header.label_space,
            _merge(header.record, record or {}),
            tensors,
            header.scales,
            extra=_merge(header.extra, extra),
        )
        return
    header = weights.header
    header = dataclasses.replace(
        header,
        arguments={**header.arguments, **(arguments or {})},
        extra=_merge(header.extra, extra),
        record=_merge(header.record, record or {}),
    )
    tensors = weights.tensors
    for name, tensor in (changed or {}).items():
        kind = tensors[name].dtype if name in tensors else tensor.dtype
        tensors[name] = tensor.to(kind).contiguous()
    save_tensors(out, tensors, {METADATA_KEY: header.to_json()})


def _merge(present: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**present, **extra}.items() if value is not None}
