"""Adding to what a checkpoint says of its network, whose tensors stay as they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from hierseg.checkpoint.foreign import container_of
from hierseg.checkpoint.format import METADATA_KEY, Header, header_of, read_header
from hierseg.checkpoint.load import find_weights, read_tensors
from hierseg.checkpoint.save import replacing, save_checkpoint
from hierseg.models import SegmentationNetwork


def annotate_checkpoint(
    source: str | Path | None,
    out: str | Path,
    network: SegmentationNetwork,
    extra: Mapping[str, Any],
) -> None:
    """Write a checkpoint again with more in its header's ``extra``; the file appears whole or not
    at all.

    Args:
        source: The weights, as ``load_model`` has it. Their tensors keep their kind, float16
            among them; a published checkpoint becomes one of hierseg's.
        out: The file to write, which may be the same; its folder must exist.
        network: What ``load_model`` made of them.
        extra: Fields to set, as JSON can hold them.

    Raises:
        UserError: The weights cannot be read, or the file cannot be written.
    """
    path, out = find_weights(source), Path(out)
    if container_of(path) is not None:
        header = header_of(network)
        merged = {**header.extra, **extra}
        save_checkpoint(
            out, network, header.label_space, header.record, scales=header.scales, extra=merged
        )
        return
    header = read_header(path)
    header = dataclasses.replace(header, extra={**header.extra, **extra})
    tensors = read_tensors(path)
    with replacing(out) as temporary:
        save_file(tensors, temporary, metadata={METADATA_KEY: header.to_json()})


def stored_temperature(source: str | Path | None) -> float | None:
    """The temperature that `hierseg calibrate` has stored in weights; None where it has not.

    Raises:
        UserError: No such weights, or they cannot be read.
    """
    path = find_weights(source)
    if container_of(path) is not None:
        return None
    header: Header = read_header(path)
    return header.temperature if "temperature" in header.extra else None
