"""Opens files of weights and tells them apart by their first bytes. No torch.

Files are read into memory, not mapped: if a mapped file is cut short meanwhile, the process dies; a
read one raises an error.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Literal, NamedTuple

from hierseg.errors import UserError, reason_of

Container = Literal["zip", "legacy", "paddle"]

ZIP = b"PK\x03\x04"
"""The first bytes of torch's zip form."""
LEGACY = b"l\xfc\x9cF\xf9 j\xa8P\x19"
"""The number, little-endian, that torch's older form begins with."""
_PICKLE = b"\x80"
GRAPHS = (".onnx", ".xml", ".pt2")
"""Endings of exported graphs: ONNX, OpenVINO, torch.export."""
_STRAYS = (
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer: fetch it by `git lfs pull`"),
    (b"# xet version ", "a pointer to a file of Xet: download the file itself"),
    (b"<!doctype html", "a web page: download the file itself"),
    (b"<html", "a web page: download the file itself"),
    (b"<head", "a web page: download the file itself"),
    (b"<?xml", "an XML page, as a server answers errors with: download the file itself"),
    (b"\x1f\x8b", "a gzip archive: unpack it"),
)
"""First bytes, in lower case, of files that are no checkpoint, and what they are."""
_LONGEST_BEGINNING = 512
_BINARY = getattr(os, "O_BINARY", 0)  # Windows would change line endings


class OpenFile(NamedTuple):
    """A regular file opened for reading, and its size in bytes."""

    file: BufferedReader
    size: int


@contextmanager
def open_checkpoint(path: Path) -> Iterator[OpenFile]:
    """Open a file; UserError if it cannot be opened, or is a pipe or device, which never ends."""
    try:
        # Do not wait if it is a pipe that nobody writes to.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {reason_of(error)}.") from error
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path} is not a regular file; name a checkpoint file.")
        yield OpenFile(file, status.st_size)


def container_of(path: Path) -> Container | None:
    """The form of a foreign file, by its first bytes; None for safetensors and other files."""
    with open_checkpoint(path) as (file, size):
        head = file.read(64)
    # A safetensors file begins with the length of its header, which may look like a pickle.
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") + 8 <= size:
        return None
    if head.startswith(ZIP):
        return "zip"
    if head.startswith(_PICKLE):
        return "legacy" if LEGACY in head else "paddle"
    return None


def describe_stray(path: Path) -> str | None:
    """What a file is that is no checkpoint, with the cure; None if its first bytes do not show."""
    with open_checkpoint(path) as (file, _):
        beginning = file.read(_LONGEST_BEGINNING)
    beginning = beginning.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for start, what in _STRAYS:
        if beginning.startswith(start):
            return what
    # A page may begin with a comment.
    if beginning.startswith(b"<") and b"<html" in beginning:
        return "a web page: download the file itself"
    return None


def no_memory(path: Path) -> UserError:
    """The error for a file that is larger than the memory that is free."""
    return UserError(
        f"there is no memory to read {path}; end other programs, or use a smaller network."
    )
