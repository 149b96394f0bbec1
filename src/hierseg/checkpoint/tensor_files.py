"""Reads safetensors files: their header and their tensors.

The header is JSON: type, shape and offsets of each tensor, and strings. All of it is checked before
a tensor is read: each tensor is as large as its shape says, and they fill the file without a gap.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hierseg.checkpoint.opening import OpenFile, open_checkpoint
from hierseg.errors import UserError

LARGEST_HEADER = 32 << 20
"""Largest header in bytes; a network of a thousand tensors has a tenth of a megabyte."""
MOST_TENSORS = 20_000
"""More than any network has."""
SHOWN = 10
"""Number of tensors' names that an error lists."""
_METADATA = "__metadata__"
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


class Entry(NamedTuple):
    """A tensor's entry in the header."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        """In bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


class TensorFile(NamedTuple):
    """The header of a safetensors file.

    Attributes:
        path: The file.
        metadata: Strings by name.
        entries: Tensors' entries by name, in the file's order.
        begin: Offset of the first tensor's bytes in the file.
    """

    path: Path
    metadata: Mapping[str, str]
    entries: Mapping[str, Entry]
    begin: int

    def read(self) -> dict[str, Tensor]:
        """The tensors by name; ValueError if the file has changed meanwhile."""
        tensors: dict[str, Tensor] = {}
        with open_checkpoint(self.path) as (file, _):
            file.seek(self.begin)
            for name, entry in self.entries.items():
                content = read_storage(file, entry.size)
                tensors[name] = content.view(entry.dtype).view(entry.shape)
        return tensors


def open_tensors(path: Path) -> TensorFile:
    """The header of a safetensors file.

    Raises:
        UserError: The file cannot be opened, or has more tensors than any network.
        ValueError: The file is not safetensors, or is damaged.
    """
    with open_checkpoint(path) as opened:
        described, begin = _read_header(opened)
        size = opened.size - begin
    metadata = described.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("metadata that are no texts")
    refuse_too_many(path, len(described))
    entries = {name: _read_entry(value) for name, value in described.items()}
    entries = dict(sorted(entries.items(), key=lambda pair: (pair[1].start, pair[1].size)))
    place = 0
    for entry in entries.values():
        if entry.start != place:
            raise ValueError("tensors that do not follow one another")
        place += entry.size
    if place != size:
        raise ValueError("tensors that do not fill the file")
    return TensorFile(path, metadata, entries, begin)


def refuse_too_many(path: Path, count: int) -> None:
    """UserError if a file has more tensors than any network."""
    if count > MOST_TENSORS:
        raise UserError(
            f"{path} has {count} tensors, and no network has more than {MOST_TENSORS}; name a "
            "checkpoint of a network."
        )


def _read_header(opened: OpenFile) -> tuple[dict[str, Any], int]:
    file, size = opened
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(LARGEST_HEADER, size - 8):
        raise ValueError("a header of another length")
    try:
        described = json.loads(file.read(length).decode("utf-8"))
    except RecursionError as error:
        raise ValueError("a header that is nested too deep") from error
    if not isinstance(described, dict):
        raise ValueError("a header that describes no tensors")
    return described, 8 + length


def _read_entry(value: Any) -> Entry:
    if not isinstance(value, dict):
        raise ValueError("a tensor without description")
    dtype: Any = value.get("dtype")
    shape: Any = value.get("shape")
    offsets: Any = value.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise ValueError("a tensor of another type")
    for numbers in (shape, offsets):
        if not isinstance(numbers, list) or not all(
            type(n) is int and 0 <= n < 1 << 60 for n in numbers
        ):
            raise ValueError("a tensor whose shape or offsets are not valid")
    if len(offsets) != 2 or len(shape) > 32 or math.prod(max(n, 1) for n in shape) >= 1 << 60:
        raise ValueError("a tensor whose shape or offsets are not valid")
    if math.prod(shape) * _DTYPES[dtype].itemsize != offsets[1] - offsets[0]:
        raise ValueError("a tensor that is not as large as its shape")
    return Entry(_DTYPES[dtype], tuple(shape), offsets[0])


def read_storage(file: BufferedReader, size: int) -> Tensor:
    """The next ``size`` bytes as (size,) uint8; ValueError if there are fewer, MemoryError if
    memory does not suffice.
    """
    content = allocate(size)
    fill(file, content)
    return content


def allocate(size: int) -> Tensor:
    """(size,) uint8, uninitialised; MemoryError if memory does not suffice."""
    try:
        return torch.empty(size, dtype=torch.uint8)
    except RuntimeError as error:  # torch's exception for it
        raise MemoryError from error


def fill(file: BufferedReader, content: Tensor) -> None:
    """Fill ``content`` from the file; ValueError if the file ends before."""
    if not content.numel():
        return
    rest = memoryview(content.numpy())  # type: ignore[arg-type]
    while rest:
        count = file.readinto(rest)
        if not count:
            raise ValueError("the file ends too early")
        rest = rest[count:]


def list_some(names: Collection[str]) -> str:
    """The first ten names, and "..." if there are more."""
    shown = ", ".join(f"{name:.120}" for name in list(names)[:SHOWN])
    return shown + (", ..." if len(names) > SHOWN else "")


def count_tensors(names: Collection[str]) -> str:
    """The number of tensors, with the verb."""
    return "1 tensor is" if len(names) == 1 else f"{len(names)} tensors are"


def is_alike(expected: torch.dtype, found: torch.dtype) -> bool:
    """Whether a tensor of one type may stand for one of another: floats for floats, integers for
    integers.
    """
    if expected.is_floating_point:
        return found.is_floating_point
    if expected == torch.bool or found == torch.bool:
        return expected == found
    return not found.is_floating_point and not found.is_complex


def describe_type(dtype: torch.dtype) -> str:
    """``float32``, say."""
    return str(dtype).removeprefix("torch.")
