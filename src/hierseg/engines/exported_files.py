"""Files of exported graphs: their headers, and the checks before they are opened.

No file is trusted. Its header is read without the library that runs it, within bounds. A file that
would read other files or run code is refused before a library sees it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

from hierseg.checkpoint import no_memory, open_checkpoint
from hierseg.engines.exported_header import (
    EXPORT_KEY,
    HEADER_KEY,
    LONGEST_TEXT,
    ExportedHeader,
    read_metadata,
)
from hierseg.engines.memory import read_free_memory
from hierseg.errors import UserError

LARGEST_ONNX = 2**31 - 1
"""Largest ONNX file in bytes, a limit of the format."""
LARGEST_XML = 256 * 2**20
OPENING = 3.0
"""Memory to open a graph, in sizes of its file."""
EXTRA = "extra/"
"""Folder of a pt2 archive that has the metadata."""
_METADATA, _OPSETS = 14, 8
"""Fields of ONNX's ModelProto."""
_NUMBER, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
"""Wire types of protobuf."""


def read_graph_header(path: str | Path) -> ExportedHeader:
    """The header of an exported graph; its weights are not read.

    Args:
        path: ``*.onnx``, ``*.xml`` or ``*.pt2``.

    Raises:
        UserError: The file cannot be read, is damaged, or was not exported by hierseg.
    """
    path = Path(path)
    reader = {".onnx": _read_onnx, ".xml": _read_xml, ".pt2": _read_pt2}.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"{path} does not end as an exported graph; give *.onnx, *.xml or *.pt2.")
    return read_metadata(reader(path), str(path))


def require_room(path: Path, size: int) -> None:
    """UserError if a graph of ``size`` bytes would not fit into the free memory."""
    if OPENING * size > read_free_memory("cpu"):
        raise no_memory(path)


def damaged(path: Path, what: str = "") -> UserError:
    """The error for a file that is not what its ending says."""
    return UserError(f"{path} is damaged or no exported graph{what}; export it again.")


class Field(NamedTuple):
    """A field of a protobuf message that has bytes, and their place in the file."""

    number: int
    start: int
    size: int


def _read_onnx(path: Path) -> dict[str, str]:
    with open_checkpoint(path) as (file, size):
        if size > LARGEST_ONNX:
            raise damaged(path, ": it is larger than a file of ONNX can be")
        try:
            return dict(_read_pairs(file, size))
        except (ValueError, LookupError) as error:
            raise damaged(path) from error


def _read_pairs(file: BufferedReader, size: int) -> Iterator[tuple[str, str]]:
    """Keys and values of the metadata of a ModelProto."""
    for field in _list_fields(file, 0, size):
        if field.number != _METADATA or field.size > LONGEST_TEXT:
            continue
        parts = {1: "", 2: ""}
        for part in list(_list_fields(file, field.start, field.start + field.size)):
            file.seek(part.start)
            parts[part.number] = file.read(part.size).decode()
        yield parts[1], parts[2]


def _list_fields(file: BufferedReader, start: int, end: int) -> Iterator[Field]:
    """The fields of a message that have bytes; ValueError if it is no message."""
    place = start
    while place < end:
        file.seek(place)
        head = file.read(24)
        tag, used = _read_number(head, 0)
        kind = tag & 7
        if kind == _BYTES:
            size, used = _read_number(head, used)
            if size > end - place - used:
                raise ValueError("a field goes beyond its message")
            yield Field(tag >> 3, place + used, size)
            used += size
        elif kind == _NUMBER:
            _, used = _read_number(head, used)
        elif kind in (_EIGHT, _FOUR):
            used += 8 if kind == _EIGHT else 4
        else:
            raise ValueError("no such kind of field")
        place += used
    if place != end:
        raise ValueError("the message is cut short")


def _read_number(content: bytes, place: int) -> tuple[int, int]:
    """A varint, and the place after it; IndexError if it does not end."""
    value = shift = 0
    while True:
        byte = content[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
        if shift > 63:
            raise ValueError("a number is too long")


def _read_xml(path: Path) -> dict[str, str]:
    """Values of the model's own ``rt_info``, without those of its layers."""
    found: dict[str, str] = {}
    stack: list[str] = []

    def begin(name: str, attributes: dict[str, str]) -> None:
        if len(stack) == 2 and stack == ["net", "rt_info"] and name in (HEADER_KEY, EXPORT_KEY):
            found[name] = attributes.get("value", "")
        stack.append(name)

    def refuse(*_: object) -> None:
        raise ValueError("a graph declares no entities")

    parser = expat.ParserCreate()
    parser.StartElementHandler = begin
    parser.EndElementHandler = lambda _: stack.pop()
    parser.EntityDeclHandler = refuse
    parser.StartDoctypeDeclHandler = refuse
    with open_checkpoint(path) as (file, size):
        if size > LARGEST_XML:
            raise damaged(path, ": it is larger than what OpenVINO writes")
        try:
            while chunk := file.read(2**20):
                parser.Parse(chunk, False)
            parser.Parse(b"", True)
        except (expat.ExpatError, ValueError) as error:
            raise damaged(path) from error
    if not found and not _is_network(path):
        raise damaged(path)
    return found


def _is_network(path: Path) -> bool:
    with open_checkpoint(path) as (file, _):
        return b"<net" in file.read(4096)


def _read_pt2(path: Path) -> dict[str, str]:
    with open_checkpoint(path) as (file, _):
        try:
            with zipfile.ZipFile(file) as archive:
                return {
                    key: archive.read(name).decode()
                    for name in archive.namelist()
                    for key in (HEADER_KEY, EXPORT_KEY)
                    if name.endswith(f"/{EXTRA}{key}")
                    and archive.getinfo(name).file_size <= LONGEST_TEXT
                }
        except (zipfile.BadZipFile, ValueError, LookupError, OSError, NotImplementedError) as error:
            raise damaged(path) from error
        except (RuntimeError, EOFError) as error:  # encrypted, or cut short
            raise damaged(path) from error
