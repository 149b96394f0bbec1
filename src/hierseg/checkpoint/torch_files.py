"""Reads files of ``torch.save``, in its zip form and the older one, without torch's own reader.

A file holds pickles, and beside them the tensors' storages. Both are bounded by the size of the
file, and no tensor has more numbers than its storage.
"""

from __future__ import annotations

import io
import struct
import sys
import zipfile
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

from torch import Tensor

from hierseg.checkpoint.opening import LEGACY, ZIP, OpenFile, open_checkpoint
from hierseg.checkpoint.pickles import BoundedStream, PickleReader, RefusedError
from hierseg.checkpoint.stand_ins import CONTAINER_NAMES
from hierseg.checkpoint.tensor_files import allocate, fill, read_storage
from hierseg.checkpoint.torch_names import TORCH_NAMES, Kind, Storage

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_PROTOCOL = 1001


def read_torch_file(path: Path) -> Any:
    """The content of a file: dicts, lists, tuples, strings, numbers and tensors.

    Raises:
        RefusedError: The file holds something else.
        UserError: The file cannot be opened.
        Exception: The file is damaged; any exception may be raised.
    """
    with open_checkpoint(path) as opened:
        beginning = opened.file.read(len(ZIP))
        opened.file.seek(0)
        return _read_zip(opened) if beginning == ZIP else _read_legacy(opened)


def _read_zip(opened: OpenFile) -> Any:
    with zipfile.ZipFile(opened.file) as archive:
        members = archive.infolist()
    if any(member.filename.endswith("/constants.pkl") for member in members):
        raise RefusedError("a TorchScript program instead of tensors")
    total = 0
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise RefusedError("a compressed part, which torch does not write")
        if member.file_size != member.compress_size:
            raise RefusedError("a part of two sizes")
        total += member.file_size
    if total > opened.size:
        raise RefusedError("parts that are larger than the file")
    by_name = {member.filename: member for member in members}
    pickles = [name for name in by_name if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise RefusedError("not exactly one data.pkl, which torch writes")
    folder = pickles[0].partition("/")[0]
    reader = _ZipReader(opened.file, folder, by_name)
    # The pickle is copied first, since storages are read from the file meanwhile.
    size = reader.enter(pickles[0])
    stream = BoundedStream(io.BytesIO(opened.file.read(size)), size)
    return PickleReader(stream, TORCH_NAMES, reader.find_storage).load()


class _ZipReader:
    """Finds a zip file's storages.

    Args:
        file: The file.
        folder: Prefix of its members' names.
        members: Its members by name.
    """

    def __init__(
        self, file: BufferedReader, folder: str, members: Mapping[str, zipfile.ZipInfo]
    ) -> None:
        self._file = file
        self._folder = folder
        self._members = members
        self._found: dict[str, Tensor] = {}
        self._is_swapped = False
        order = f"{folder}/byteorder"
        if order in members:
            stated = file.read(min(8, self.enter(order)))
            if stated not in (b"little", b"big"):
                raise ValueError("an unknown order of bytes")
            self._is_swapped = stated.decode() != sys.byteorder

    def enter(self, name: str) -> int:
        """Seek to a member's first byte; returns its size in bytes."""
        member = self._members[name]
        self._file.seek(member.header_offset)
        signature, name_size, extra_size = _LOCAL_HEADER.unpack(self._file.read(_LOCAL_HEADER.size))
        if signature != ZIP:
            raise ValueError("a member that does not begin where it should")
        self._file.seek(name_size + extra_size, 1)
        return member.file_size

    def find_storage(self, identity: Any) -> Storage:
        """What a persistent id of torch stands for."""
        kind, key, count = _check_identity(identity, 5)
        size = count * kind.dtype.itemsize
        if key not in self._found:
            name = f"{self._folder}/data/{key}"
            if name not in self._members or self._members[name].file_size < size:
                raise ValueError("numbers that are not in the file")
            stored = read_storage(self._file, self.enter(name))
            if self._is_swapped and kind.dtype.itemsize > 1:
                stored.untyped_storage().byteswap(kind.dtype)  # type: ignore[no-untyped-call]
            self._found[key] = stored
        return Storage(self._found[key][:size].view(kind.dtype), kind.is_untyped)


def _read_legacy(opened: OpenFile) -> Any:
    file, size = opened
    storages = _LegacyStorages(size)
    stream = BoundedStream(file, size)
    plain = PickleReader(stream, CONTAINER_NAMES)
    if plain.load() != int.from_bytes(LEGACY, "little") or plain.load() != _PROTOCOL:
        raise ValueError("a beginning that is not torch's")
    plain.load()  # what kind of machine wrote it
    content = PickleReader(stream, TORCH_NAMES, storages.find_storage).load()
    keys = plain.load()
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(storages.found):
        raise ValueError("numbers that belong to no tensor")
    for key in keys:
        stored, itemsize = storages.found[key]
        if int.from_bytes(file.read(8), "little", signed=True) * itemsize != stored.numel():
            raise ValueError("numbers that are not as many as stated")
        fill(file, stored)
    return content


class _LegacyStorages:
    """Allocates the storages of an older file, whose bytes follow the pickles.

    Args:
        size: Size of the file in bytes, which bounds them.
    """

    def __init__(self, size: int) -> None:
        self.found: dict[str, tuple[Tensor, int]] = {}
        self._left = size

    def find_storage(self, identity: Any) -> Storage:
        """What a persistent id of torch stands for."""
        kind, key, count = _check_identity(identity, 6)
        view = identity[5]
        if key not in self.found:
            size = count * kind.dtype.itemsize
            self._left -= size
            if self._left < 0:
                raise ValueError("numbers that are not in the file")
            self.found[key] = allocate(size), kind.dtype.itemsize
        values = self.found[key][0].view(kind.dtype)
        if view is not None:
            _, start, length = view
            if not 0 <= start <= start + length <= len(values):
                raise ValueError("a part of numbers that is not there")
            values = values[start : start + length]
        return Storage(values, kind.is_untyped)


def _check_identity(identity: Any, length: int) -> tuple[Kind, str, int]:
    """Kind, key and number of values of a persistent id."""
    if type(identity) is not tuple or len(identity) != length or identity[0] != "storage":
        raise RefusedError("a reference to something that is no storage")
    _, kind, key, place, count = identity[:5]
    if not isinstance(kind, Kind) or type(key) is not str or type(count) is not int or count < 0:
        raise RefusedError("a reference to something that is no storage")
    if place == "meta":
        raise RefusedError("a tensor without values")
    return kind, key, count
