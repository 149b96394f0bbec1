"""Bytes of checkpoint files, read into memory: a file that is cut short meanwhile ends in an error,
where one that is mapped would end the process.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, NamedTuple

import torch
from torch import Tensor

from hierseg.errors import UserError, reason_of

_STRAYS = (
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer: fetch it by `git lfs pull`"),
    (b"# xet version ", "a pointer to a file of Xet: download the file itself"),
    (b"<!doctype html", "a web page: download the file itself"),
    (b"<html", "a web page: download the file itself"),
    (b"<head", "a web page: download the file itself"),
    (b"<?xml", "an XML page, as a server answers errors with: download the file itself"),
    (b"\x1f\x8b", "a gzip archive: unpack it"),
)
"""What files that are no checkpoint begin with, in small letters."""
_LONGEST_BEGINNING = 512


LONGEST_LINE = 1 << 12
"""Bytes of the names of modules and functions in a pickle."""


class OpenFile(NamedTuple):
    """A regular file that is open to be read, and its size in bytes."""

    file: BufferedReader
    size: int


@contextmanager
def open_checkpoint(path: Path) -> Iterator[OpenFile]:
    """Open a file; UserError where it cannot be, or is a pipe or device, which may never end."""
    try:
        # Not to wait where it is a pipe that nobody writes to.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {reason_of(error)}.") from error
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path} is no regular file, so it is no checkpoint.")
        yield OpenFile(file, status.st_size)


_BINARY = getattr(os, "O_BINARY", 0)  # Windows would change line endings


def read_storage(file: BufferedReader, size: int) -> Tensor:
    """The next ``size`` bytes as (size,) uint8; ValueError where there are fewer, MemoryError where
    there is no memory for them.
    """
    content = allocate(size)
    fill(file, content)
    return content


def allocate(size: int) -> Tensor:
    """(size,) uint8 with any values; MemoryError where there is no memory for them."""
    try:
        return torch.empty(size, dtype=torch.uint8)
    except RuntimeError as error:  # torch's word for it
        raise MemoryError from error


def no_memory(path: Path) -> UserError:
    """The error for a file that is larger than the memory that is free."""
    return UserError(
        f"there is no memory to read {path}; end other programs, or use a smaller network."
    )


def fill(file: BufferedReader, content: Tensor) -> None:
    """Read as many bytes as ``content`` has into it; ValueError where there are fewer."""
    if not content.numel():
        return
    rest = memoryview(content.numpy())  # type: ignore[arg-type]
    while rest:
        count = file.readinto(rest)
        if not count:
            raise ValueError("the file ends too early")
        rest = rest[count:]


class BoundedStream:
    """A part of a file from where it stands: what is not there is not made room for.

    Args:
        file: Open to be read.
        size: Bytes of the part.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self.size = self.left = size

    def read(self, count: int) -> bytes:
        """Exactly so many bytes; ValueError where there are fewer."""
        if count > self.left:
            raise ValueError("the pickle ends too early")
        content = self._file.read(count)
        self.left -= len(content)
        if len(content) < count:
            raise ValueError("the pickle ends too early")
        return content

    def readline(self) -> bytes:
        """A line with its end; ValueError for one that is too long for a name."""
        line = self._file.readline(min(LONGEST_LINE, self.left))
        self.left -= len(line)
        if not line.endswith(b"\n"):
            raise ValueError("a name without an end")
        return line


def describe_stray(path: Path) -> str | None:
    """What a file that is no checkpoint is instead, with the cure, where its beginning tells."""
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
