"""Files that may lie inside a zip archive: paths that go on behind the name of a zip file.

``DATA/gtFine_trainvaltest.zip/gtFine/val/lund/x.png`` is a member of that archive. Such a path is
an ordinary ``pathlib.Path``; only what touches the disk goes through the functions of this module,
which raise OSError as Python's own do, also where an archive is damaged.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

from hierseg.data.globs import ANY_FOLDERS, MAGIC, compile_glob, compile_name, split_pattern
from hierseg.data.unpacking import LARGEST_MEMBER, Archive
from hierseg.errors import UserError, reason_of
from hierseg.files import (
    LARGEST_TEXT,
    decode_text,
    read_regular,
    read_text_file,
    refuse_unreadable,
    walk_files,
)


class FileStatus(NamedTuple):
    """Size and time of a file, by which a change is noticed."""

    size: int
    """Bytes, unpacked."""
    modified: int
    """Time of change in nanoseconds; of a member, its archive's."""


def read_bytes(path: Path) -> bytes:
    """The content of a file or member; OSError if it is not a regular file, or is too large."""
    place = _split(path)
    if place is None:
        return read_regular(path, LARGEST_MEMBER)
    return _open(place[0]).read(place[1], path, LARGEST_MEMBER)


def read_text(path: Path, what: str = "file", largest: int = LARGEST_TEXT) -> str:
    """As ``hierseg.files.read_text_file``, of a member too."""
    place = _split(path)
    if place is None:
        return read_text_file(path, what, largest)
    try:
        content = _open(place[0]).read(place[1], path, largest)
    except OSError as error:
        raise UserError(f"the {what} '{path}' cannot be read: {reason_of(error)}.") from error
    return decode_text(content, path, what)


def open_dataset_file(path: Path) -> BinaryIO:
    """A file, or a whole member in memory, open for reading."""
    return path.open("rb") if _split(path) is None else io.BytesIO(read_bytes(path))


def get_status(path: Path) -> FileStatus:
    """Size and time of a file or member."""
    place = _split(path)
    status = (path if place is None else place[0]).stat()
    if place is None:
        return FileStatus(status.st_size, status.st_mtime_ns)
    info = _open(place[0]).find(place[1], path)
    return FileStatus(info.file_size, status.st_mtime_ns)


def get_crc(path: Path) -> int | None:
    """The checksum that an archive states of a member; None of a file on the disk."""
    place = _split(path)
    info = None if place is None else _open(place[0]).members.get(place[1])
    return None if info is None else info.CRC


def is_file(path: Path) -> bool:
    """Whether there is such a file or member."""
    place = _split(path)
    return _is_there(path.is_file) if place is None else place[1] in _open(place[0]).members


def is_folder(path: Path) -> bool:
    """Whether there is such a folder, on the disk or in an archive; an archive itself is one."""
    place = _split(path)
    return _is_there(path.is_dir) if place is None else _open(place[0]).has_folder(place[1])


def find_files(folder: Path, pattern: str) -> list[Path]:
    """Files below a folder by a glob, sorted: ``*`` within a name, ``**/`` for any folders, also
    those that are linked.

    Raises:
        UnreadableFolderError: What is in a folder cannot be listed.
        OSError: An archive is damaged.
    """
    parts = split_pattern(pattern)
    count = next((n for n, part in enumerate(parts[:-1]) if MAGIC.search(part)), len(parts) - 1)
    start, left = folder.joinpath(*parts[:count]), parts[count:]
    if not left or not is_folder(start):
        return []
    place = _split(start)
    matches = compile_glob("/".join(left))
    if place is not None:
        names = _open(place[0]).list_below(place[1])
        below = (name[len(place[1]) :].lstrip("/") for name in names)
        return [start / name for name in below if matches(name) is not None]
    skip = len(start.parts)
    found = walk_files(start, refuse_unreadable, lambda path: _leads_on(left, path.parts[skip:]))
    return sorted(path for path in found if matches("/".join(path.parts[skip:])) is not None)


def _leads_on(parts: Sequence[str], folders: Sequence[str]) -> bool:
    """Whether a file below these folders can match the parts of a pattern."""
    for part, name in zip(parts[:-1], folders, strict=False):
        if part == ANY_FOLDERS:
            return True
        if compile_name(part)(name) is None:
            return False
    return len(folders) < len(parts)


def _is_there(ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # there can be no such file
            return False
        raise


def _split(path: Path) -> tuple[Path, str] | None:
    """Archive and member of a path that leads through a zip file; None for every other path."""
    text = str(path)
    if ".zip" not in text.lower():
        return None
    for parent in (path, *path.parents):
        if parent.suffix.lower() == ".zip" and _is_there(parent.is_file):
            return parent, "" if path == parent else path.relative_to(parent).as_posix()
    return None


def _open(archive: Path) -> Archive:
    # By process: two that share an open file would move each other's place in it. By time: an
    # archive that was replaced is another one.
    status = archive.stat()
    return _open_once(archive, (status.st_mtime_ns, status.st_size), os.getpid())


@lru_cache(maxsize=16)
def _open_once(archive: Path, _state: tuple[int, int], _process: int) -> Archive:
    return Archive(archive)
