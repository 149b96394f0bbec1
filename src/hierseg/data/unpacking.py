"""Reads zip archives within bounds, without trusting what an archive states about itself.

Python's own reader unpacks a whole member before it compares the size with the stated one. Here no
more than the stated size is unpacked.
"""

from __future__ import annotations

import bz2
import errno
import io
import lzma
import os
import struct
import threading
import zipfile
import zlib
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path

LARGEST_MEMBER = 1 << 30
"""Most bytes that a member may unpack to: more than any image has."""
LARGEST_DIRECTORY = 64 << 20
"""Most bytes of the list of all members: half a million ordinary names."""
DAMAGED = "the archive is damaged there"
LONGEST_NAME = 4096
"""Most characters of a member's name; a longer one fits on no file system."""

_ENCRYPTED = 1
_ENDS_BY_MARK = 2  # of LZMA: its length is not known beforehand
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LZMA_MEMORY = 256 << 20
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, struct.error,
    NotImplementedError, OverflowError, IndexError,
)  # fmt: skip


class Archive:
    """A zip file that is open for reading.

    Members whose names could not be unpacked (absolute, with ``..`` or an empty part, too long)
    are passed over.

    Args:
        path: The file.

    Raises:
        OSError: It is damaged, only a part of a download, or lists too many members.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()  # the place in the file is one for all threads
        self._file = path.open("rb")
        listed = _list_members(path)
        self.members = {info.filename: info for info in listed if _can_be_unpacked(info.filename)}
        self._names = sorted(self.members)

    def list_below(self, folder: str) -> Iterator[str]:
        """Names of members below a folder, sorted; of all where it is empty."""
        start = f"{folder}/" if folder else ""
        for place in range(bisect_left(self._names, start), len(self._names)):
            if not self._names[place].startswith(start):
                return
            yield self._names[place]

    def has_folder(self, folder: str) -> bool:
        """Whether a member lies below it."""
        return not folder or next(self.list_below(folder), None) is not None

    def find(self, name: str, path: Path) -> zipfile.ZipInfo:
        """A member by its name; FileNotFoundError naming its whole path."""
        info = self.members.get(name)
        if info is None:
            raise FileNotFoundError(errno.ENOENT, "no such file in the archive", str(path))
        return info

    def read(self, name: str, path: Path, largest: int) -> bytes:
        """The content of a member.

        Args:
            name: Its name in the archive.
            path: Its whole path, for errors.
            largest: Bytes that it may have, packed and unpacked.

        Raises:
            OSError: It is missing, encrypted, too large, damaged, or has another size than stated.
        """
        info = self.find(name, path)
        if info.flag_bits & _ENCRYPTED:
            raise OSError(
                errno.EIO, "the archive is encrypted; unpack it with its password", str(path)
            )
        if max(info.file_size, info.compress_size) > largest:
            raise OSError(errno.EFBIG, "too large a member of an archive", str(path))
        try:
            content = _unpack(info, self._read_packed(info))
        except (*_DAMAGE, OSError) as error:  # OSError without a number, of bzip2
            raise OSError(errno.EIO, DAMAGED, str(path)) from error
        if len(content) > info.file_size:
            raise OSError(errno.EFBIG, "it unpacks to more than its archive states", str(path))
        if len(content) < info.file_size or zlib.crc32(content) != info.CRC:
            raise OSError(errno.EIO, DAMAGED, str(path))
        return content

    def _read_packed(self, info: zipfile.ZipInfo) -> bytes:
        with self._lock:
            self._file.seek(info.header_offset)
            mark, name, extra = _LOCAL_HEADER.unpack(self._file.read(_LOCAL_HEADER.size))
            if mark != b"PK\x03\x04":
                raise zipfile.BadZipFile
            self._file.seek(name + extra, os.SEEK_CUR)
            return self._file.read(info.compress_size)


class _Directory(io.BufferedReader):
    """An archive's file that refuses to read more at once than a list of members may have."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LARGEST_DIRECTORY:
            raise _TooManyError
        return super().read(size)


class _TooManyError(Exception):
    """A list of members that is too long."""


def _list_members(path: Path) -> list[zipfile.ZipInfo]:
    with _Directory(io.FileIO(path)) as file:
        try:
            return zipfile.ZipFile(file).infolist()
        except _TooManyError as error:
            reason = f"its list of members has more than {LARGEST_DIRECTORY >> 20} MB; unpack it"
            raise OSError(errno.EFBIG, reason, str(path)) from error
        except (*_DAMAGE, OSError) as error:
            reason = "damaged, or only a part of the download; fetch it again"
            raise OSError(errno.EIO, reason, str(path)) from error


def _can_be_unpacked(name: str) -> bool:
    """Whether it can be the name of a file; a folder's ends in a slash."""
    if len(name) > LONGEST_NAME:
        return False
    return all(part not in ("", ".", "..") for part in name.split("/"))


def _unpack(info: zipfile.ZipInfo, packed: bytes) -> bytes:
    """The unpacked bytes of a member, at most one more than it states."""
    most = info.file_size + 1
    if info.compress_type == zipfile.ZIP_STORED:
        return packed
    if info.compress_type == zipfile.ZIP_DEFLATED:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, most)
    if info.compress_type == zipfile.ZIP_BZIP2:
        return bz2.BZ2Decompressor().decompress(packed, most)
    if info.compress_type == zipfile.ZIP_LZMA:
        # As a file of the older kind, whose reader can be given a bound: a version (2 bytes) and
        # the length of the properties (2) go before these (5), the size (8) comes behind them.
        size = -1 if info.flag_bits & _ENDS_BY_MARK else info.file_size
        packed = packed[4:9] + size.to_bytes(8, "little", signed=True) + packed[9:]
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_LZMA_MEMORY)
        return unpacker.decompress(packed, most)
    raise NotImplementedError
