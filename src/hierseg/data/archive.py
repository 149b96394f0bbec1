"""Files that may lie inside a zip archive: paths that go on behind the name of a zip file.

``DATA/gtFine_trainvaltest.zip/gtFine/val/lund/x.png`` is a member of that archive. Such a path is
an ordinary ``pathlib.Path``; only what touches the disk goes through the functions of this module,
which raise OSError as Python's own do, also where an archive is damaged.
"""

from __future__ import annotations

import errno
import io
import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

LARGEST_MEMBER = 1 << 30
"""Bytes that a member may unpack to: no image has more, an archive made to harm may."""


class FileStatus(NamedTuple):
    """By what a changed file is noticed."""

    size: int
    """Bytes, unpacked."""
    modified: int
    """Time of change in nanoseconds; of a member, its archive's."""


def read_bytes(path: Path) -> bytes:
    """The content of a file or member."""
    place = _split(path)
    if place is None:
        return path.read_bytes()
    archive = _open(place[0])
    info = archive.members.get(place[1])
    if info is None:
        raise FileNotFoundError(errno.ENOENT, "no such file in the archive", str(path))
    if info.file_size > LARGEST_MEMBER:
        raise OSError(errno.EFBIG, "too large a member of an archive", str(path))
    try:
        return archive.file.read(info)
    except (
        zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, RuntimeError,
        NotImplementedError,
    ) as error:  # fmt: skip
        raise OSError(errno.EIO, "the archive is damaged there", str(path)) from error


def open_file(path: Path) -> BinaryIO:
    """A file, or a whole member in memory, open for reading."""
    return path.open("rb") if _split(path) is None else io.BytesIO(read_bytes(path))


def get_status(path: Path) -> FileStatus:
    """Size and time of a file or member."""
    place = _split(path)
    status = (path if place is None else place[0]).stat()
    if place is None:
        return FileStatus(status.st_size, status.st_mtime_ns)
    info = _open(place[0]).members.get(place[1])
    if info is None:
        raise FileNotFoundError(errno.ENOENT, "no such file in the archive", str(path))
    return FileStatus(info.file_size, status.st_mtime_ns)


def get_crc(path: Path) -> int | None:
    """The checksum that an archive states of a member; None of a file on the disk."""
    place = _split(path)
    info = None if place is None else _open(place[0]).members.get(place[1])
    return None if info is None else info.CRC


def is_file(path: Path) -> bool:
    """Whether there is such a file or member."""
    place = _split(path)
    return path.is_file() if place is None else place[1] in _open(place[0]).members


def is_folder(path: Path) -> bool:
    """Whether there is such a folder, on the disk or in an archive; an archive itself is one."""
    place = _split(path)
    return path.is_dir() if place is None else place[1] in _open(place[0]).folders


def find_files(folder: Path, pattern: str) -> list[Path]:
    """Files below a folder by a glob, sorted: ``*`` within a name, ``**/`` for any folders."""
    place = _split(folder)
    if place is None:
        return sorted(path for path in folder.glob(pattern) if path.is_file())
    matches = compile_glob(pattern)
    start = f"{place[1]}/" if place[1] else ""
    members = _open(place[0]).members
    return sorted(
        folder / name[len(start) :]
        for name in members
        if name.startswith(start) and matches(name[len(start) :])
    )


def compile_glob(pattern: str) -> Callable[[str], re.Match[str] | None]:
    """A function that matches relative paths with ``/``; what each star stood for is a group.

    ``?`` and ``[a-z]`` match as in a shell, and are no groups.
    """
    parts = []
    for token in re.findall(r"\*\*/|\*|\?|\[[^\]]+\]|[^*?\[]+|.", pattern):
        if token == "**/":
            parts.append("((?:[^/]+/)*)")
        elif token == "*":
            parts.append("([^/]*)")
        elif token == "?":
            parts.append("[^/]")
        elif len(token) > 2 and token.startswith("["):
            parts.append("[^" + token[2:] if token[1] == "!" else token)
        else:
            parts.append(re.escape(token))
    return re.compile("".join(parts)).fullmatch


class _Archive(NamedTuple):
    file: zipfile.ZipFile
    members: dict[str, zipfile.ZipInfo]
    folders: frozenset[str]


def _split(path: Path) -> tuple[Path, str] | None:
    """Archive and member of a path that leads through a zip file; None for every other path."""
    text = str(path)
    if ".zip" not in text.lower():
        return None
    for parent in (path, *path.parents):
        if parent.suffix.lower() == ".zip" and parent.is_file():
            return parent, "" if path == parent else path.relative_to(parent).as_posix()
    return None


def _open(archive: Path) -> _Archive:
    # By process: two that share an open file would move each other's place in it. By time: an
    # archive that was replaced is another one.
    return _open_once(archive, archive.stat().st_mtime_ns, os.getpid())


@lru_cache(maxsize=16)
def _open_once(archive: Path, _modified: int, _process: int) -> _Archive:
    try:
        file = zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise OSError(
            errno.EIO, "damaged, or only a part of the download; fetch it again", str(archive)
        ) from error
    members = {info.filename: info for info in file.infolist() if not info.is_dir()}
    folders = {""}
    for name in members:
        parts = name.split("/")[:-1]
        folders |= {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
    return _Archive(file, members, frozenset(folders))
