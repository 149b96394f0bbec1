"""Which files a command may replace: its own, and others only with --overwrite.

A file is a command's own if the command's record in the folder lists it; a JSON file, if its header
names the command. A file's name alone proves nothing: ``masks`` may hold the ground truth.
"""

from __future__ import annotations

import json
import os
import stat
import threading
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

from hierseg.errors import UsageError, UserError
from hierseg.files import open_to_append, read_text_file

HEADER = "hierseg"
"""Key of the header of a JSON file; its value is the version that wrote the file."""
LARGEST_RECORD = 1 << 30
"""Most bytes of a record: a few hundred for each of a million images."""


def find_foreign(folder: Path, files: Iterable[str], is_own: Callable[[str], bool]) -> list[str]:
    """The files, relative to a folder, that exist and are not the command's own.

    A folder of such a name is not listed: it cannot be replaced, and writing to it fails.
    """
    return [file for file in files if _is_file(folder / file) and not is_own(file)]


def refuse_foreign(
    folder: Path, foreign: Collection[str], command: str, setting: str = "--out"
) -> None:
    """UsageError if there are files that the command did not write; the first one is named."""
    for file in foreign:
        more = f" (and {len(foreign) - 1} more)" if len(foreign) > 1 else ""
        raise UsageError(
            f"'{folder / file}'{more} exists, and no record says that `hierseg {command}` wrote "
            f"it; choose another {setting}, or add --overwrite to replace it."
        )


def require_new(flag: str, path: Path, overwrite: bool) -> None:
    """UsageError if the file exists, for formats that do not say which command wrote them.

    Anything but a regular file, such as ``/dev/stdout``, is written to and not replaced.
    """
    if not overwrite and _is_file(path) and (path.is_file() or not path.exists()):
        raise UsageError(f"{flag} {path} exists; choose another file, or add --overwrite.")


def require_own_json(flag: str, path: Path, command: str, overwrite: bool) -> None:
    """UsageError if the file exists and is not JSON that an earlier run of the command wrote."""
    if overwrite or not path.is_file() or _names_command(path, command):
        return
    raise UsageError(
        f"{flag} {path} exists, and is not a result of `hierseg {command}`; choose another file, "
        "or add --overwrite."
    )


def require_own_png(flag: str, path: Path, command: str, overwrite: bool) -> None:
    """UsageError if the picture exists and no earlier run of the command drew it."""
    if overwrite or not _is_file(path):
        return
    signature = _signature(command)
    try:
        with path.open("rb") as file:
            file.seek(_BEHIND_SIZE)
            is_own = file.read(len(signature)) == signature
    except OSError:
        is_own = False
    if not is_own:
        raise UsageError(
            f"'{path}' exists, and `hierseg {command}` did not draw it; choose another {flag}, or "
            "add --overwrite to replace it."
        )


def sign_png(content: bytes, command: str) -> bytes:
    """A PNG with a text chunk that names the command, after the chunk that holds its size."""
    return content[:_BEHIND_SIZE] + _signature(command) + content[_BEHIND_SIZE:]


_BEHIND_SIZE = 33
"""Bytes of a PNG's signature and its first chunk, which holds the size."""


def _signature(command: str) -> bytes:
    text = b"tEXtSoftware\0" + f"hierseg {command}".encode()
    return (len(text) - 4).to_bytes(4) + text + zlib.crc32(text).to_bytes(4)


def with_header(content: Mapping[str, Any], command: str) -> dict[str, Any]:
    """The content of a JSON file, after a header that names the version and the command."""
    from hierseg.version import __version__

    return {HEADER: __version__, "command": command, **content}


def _names_command(path: Path, command: str) -> bool:
    try:
        content = json.loads(read_text_file(path, largest=LARGEST_RECORD))
    except (UserError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and HEADER in content and content.get("command") == command


def _is_file(path: Path) -> bool:
    """Whether there is anything but a folder; a link counts, since writing replaces the link."""
    try:
        return not stat.S_ISDIR(path.lstat().st_mode)
    except (OSError, ValueError):  # no file, or an impossible name
        return False


class FileRecord:
    """A record of the files that a command writes into a folder, for its next run.

    A file is added to the record, ``.hierseg-COMMAND.jsonl``, before it is written, so that a
    killed run leaves no unrecorded file. If several processes write into one folder, each has a
    part of the record.

    Args:
        folder: Folder of the files.
        command: The command that writes them.
        part: Name of this process's part; empty for a single process.
    """

    def __init__(self, folder: Path, command: str, part: str = "") -> None:
        self.folder, self.command = folder, command
        self.path = folder / f".hierseg-{command}{f'.{part}' if part else ''}.jsonl"
        self._own: set[str] = set()
        self._file: IO[bytes] | None = None
        self._guard = threading.Lock()
        self._read()

    def __contains__(self, file: str) -> bool:
        return file in self._own

    def require(
        self,
        files: Collection[str],
        setting: str,
        overwrite: bool = False,
        is_own: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """UsageError if one of the files exists and is not in the record.

        Args:
            files: The files that the command may write, relative to the folder.
            setting: The setting that chooses another folder, for the message.
            overwrite: Whether all files may be replaced.
            is_own: Says whether a file that is not in the record is the command's own.
        """
        if overwrite or not (foreign := find_foreign(self.folder, files, self.__contains__)):
            return
        self._read()  # another process of this run may have written them meanwhile
        foreign = [file for file in foreign if file not in self and not is_own(file)]
        refuse_foreign(self.folder, foreign, self.command, setting)

    def add(self, *files: str) -> None:
        """Add files, relative to the folder, to the record; call it before they are written.

        Raises:
            OSError: The record cannot be written.
        """
        with self._guard:
            new = [file for file in files if file not in self._own]
            if not new:
                return
            if self._file is None:
                self._file = open_to_append(self.path)
                if self._file.tell() == 0:
                    self._file.write(_line(with_header({}, self.command)))
            self._file.write(b"".join(map(_line, new)))
            self._file.flush()
            self._own.update(new)

    def close(self) -> None:
        """Close the record, which is kept for the next run."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        """Remove the record, once another one lists its files."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _read(self) -> None:
        """Read all parts of the record, without lines that were cut off."""
        start = f".hierseg-{self.command}"
        parts = self.folder.glob(f"{start}.*.jsonl")
        for path in (self.folder / f"{start}.jsonl", *parts):
            files = (line for line in read_lines(path) if isinstance(line, str))
            self._own.update(filter(is_inside, files))


def read_lines(path: Path) -> Iterator[Any]:
    """The lines of a JSON Lines file, without damaged ones; none if it cannot be read."""
    if not path.is_file():
        return
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_RECORD)
    except OSError:
        return
    for line in content.decode("utf-8", "replace").split("\n"):
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            continue


def is_inside(file: str) -> bool:
    """Whether a relative path from a record is valid and stays within its folder."""
    try:
        os.fsencode(file)
    except ValueError:
        return False
    path = PurePosixPath(file)
    return "\0" not in file and not path.is_absolute() and ".." not in path.parts


def _line(content: Any) -> bytes:
    return json.dumps(content).encode() + b"\n"
