"""The checkpoint format: a safetensors file whose metadata describe the network of its tensors.

The metadata have one entry, ``hierseg``: a JSON object with the fields of ``Header``. No file is
trusted: whatever it holds, reading it ends with a header or a UserError.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from hierseg.checkpoint.opening import describe_stray
from hierseg.checkpoint.tensor_files import TensorFile, open_tensors
from hierseg.errors import UserError
from hierseg.labels import LabelSpace
from hierseg.options import check_scales
from hierseg.size import SMALLEST_SIDE

FORMAT_VERSION = 1
METADATA_KEY = "hierseg"
LOWEST = 1e-6
"""The lowest temperature; the highest is its inverse. Between them logits keep their order."""
CLASSIFIERS = ("head.classify.", "head.auxiliary.1.")
"""Prefixes of the classification layers, whose outputs are one value a class."""
TRUNK_KEY = "hierseg_trunk"
"""The metadata entry of a file that holds a trunk alone, to start training from."""
FLOW_KEY = "hierseg_flow"
"""The metadata entry of a file that holds a network of flow."""


@dataclass(frozen=True)
class Header:
    """What a checkpoint states about its network.

    Attributes:
        format_version: Version of the format, 1.
        builder: Name of the network's builder.
        arguments: The builder's arguments.
        label_space: The classes of the network's logits.
        scales: Default scales of evaluation.
        align_corners: Whether the network resizes with aligned corners.
        record: How the network was trained: recipe, epoch, mIoU and the like.
        extra: Further fields. `hierseg calibrate` stores ``temperature`` and ``calibration``;
            ``long_edge`` is the length in pixels that larger images are resized to.
    """

    format_version: int
    builder: str
    arguments: dict[str, Any]
    label_space: LabelSpace
    scales: tuple[float, ...]
    align_corners: bool
    record: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def temperature(self) -> float:
        """The number that logits are divided by before the softmax; 1 if not stored.

        Raises:
            UserError: The stored value is no valid temperature.
        """
        value = self.extra.get("temperature", 1.0)
        # A bool is an int to Python; an int may be too large to be a float.
        if type(value) not in (int, float) or not LOWEST <= value <= 1 / LOWEST:
            raise UserError(
                "its temperature is not a number above 0; store one with `hierseg calibrate`."
            )
        return float(value)

    @property
    def long_edge(self) -> int | None:
        """The length of the longer side, in pixels, at which larger images are run; None if not
        stored.

        Raises:
            UserError: The stored value is no valid length.
        """
        value = self.extra.get("long_edge")
        if value is not None and (type(value) is not int or not SMALLEST_SIDE <= value <= 2**16):
            raise UserError(
                f"its long edge is not a number of pixels from {SMALLEST_SIDE} to 65536."
            )
        return value

    def to_json(self) -> str:
        """The metadata entry; ``header_from_json`` reads it back."""
        return json.dumps(
            {
                "format_version": self.format_version,
                "builder": self.builder,
                "arguments": self.arguments,
                "label_space": self.label_space.to_dict(),
                "scales": list(self.scales),
                "align_corners": self.align_corners,
                "record": _plain(self.record),
                "extra": _plain(self.extra),
            },
            allow_nan=False,
        )


def _plain(value: Any) -> Any:
    """``value`` as JSON holds it: paths as strings, NaN and infinities as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def header_from_json(text: str, source: str) -> Header:
    """Read a metadata entry.

    Args:
        text: The JSON text.
        source: The file's name in errors.

    Raises:
        UserError: The text is no valid header, or has a newer format.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source} is damaged: its metadata are not JSON.") from error
    version = data.get("format_version") if isinstance(data, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise UserError(f"{source} is damaged: its metadata have no format version.")
    if version > FORMAT_VERSION:
        raise UserError(
            f"{source} is of format {str(version)[:9]}, and this hierseg reads up to "
            f"{FORMAT_VERSION}; install a newer hierseg."
        )
    try:
        header = Header(
            format_version=version,
            builder=_typed(data, "builder", str),
            arguments=_typed(data, "arguments", dict),
            label_space=LabelSpace.from_dict(_typed(data, "label_space", dict)),
            scales=check_scales(_typed(data, "scales", list)),
            align_corners=_typed(data, "align_corners", bool),
            record=_typed(data, "record", dict),
            extra=_typed(data, "extra", dict),
        )
        _ = header.temperature, header.long_edge  # raise if they are not valid
        return header
    except UserError as error:
        raise UserError(f"{source} is damaged: {error}") from error
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise UserError(f"{source} is damaged: its metadata are no valid header.") from error


T = TypeVar("T")


def _typed(data: Mapping[str, Any], key: str, kind: type[T]) -> T:
    value = data.get(key)
    if not isinstance(value, kind):
        raise UserError(f"its metadata have no {key} of type {kind.__name__}.")
    return value


def read_header(path: str | Path) -> Header:
    """The header of a checkpoint; its tensors are not read.

    Raises:
        UserError: The file is missing, damaged, foreign, or of a newer format.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no checkpoint at {path}.")
    return header_in(open_tensor_file(path))


def header_in(opened: TensorFile) -> Header:
    """The header in a safetensors file; UserError if it is no hierseg checkpoint."""
    path, metadata = opened.path, opened.metadata
    if TRUNK_KEY in metadata:
        raise UserError(
            f"{path} holds only a trunk; train a network from it with --model.init-trunk."
        )
    if FLOW_KEY in metadata:
        raise UserError(f"{path} holds a network of flow: name it as --flow sdcnet:{path}.")
    if METADATA_KEY not in metadata:
        raise UserError(f"{path} is a safetensors file but no hierseg checkpoint; name another.")
    return header_from_json(metadata[METADATA_KEY], str(path))


def open_tensor_file(path: Path) -> TensorFile:
    """The entries and metadata of a safetensors file; UserError if it is no such file."""
    try:
        return open_tensors(path)
    except (OSError, ValueError) as error:
        raise not_readable(path) from error


def not_readable(path: Path) -> UserError:
    """The error for a file that is not safetensors, or damaged."""
    stray = describe_stray(path)
    if stray is not None:
        return UserError(f"{path} is {stray}.")
    return UserError(f"{path} is damaged or no hierseg checkpoint (.safetensors).")


def header_of(network: object) -> Header:
    """The header of a loaded network or an engine; UserError if it was not loaded from a
    checkpoint.
    """
    header = getattr(network, "header", None)
    if not isinstance(header, Header):
        raise UserError(
            "this network was not loaded from a checkpoint, so its label space is unknown; load a "
            "checkpoint, or give the label space."
        )
    return header
