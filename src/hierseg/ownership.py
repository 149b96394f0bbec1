"""What a command may replace: its own files, and others only where it is told to.

A file is a command's own where the record says so that this command keeps in the folder, and a
JSON file where its header names the command. Nothing is asked of a file's name alone: ``masks`` may
hold the ground truth.
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
LARGEST_RECORD = 1 << 30
"""Bytes of a record: some hundred for each of a million images."""


def find_foreign(folder: Path, files: Iterable[str], is_own: Callable[[str], bool]) -> list[str]:
    """Files, relative to a folder, that are there and not the command's own.

    A folder of that name is none of them: nothing can replace it, and whoever writes says so.
    """
    return [file for file in files if _is_file(folder / file) and not is_own(file)]


def refuse_foreign(
    folder: Path, foreign: Collection[str], command: str, setting: str = "--out"
) -> None:
    """UsageError for files that are there and were written by nobody known."""
    for file in foreign:
        more = f" (and {len(foreign) - 1} more)" if len(foreign) > 1 else ""
        raise UsageError(
            f"'{folder / file}'{more} is there, and no records say that `hierseg {command}` wrote "
            f"it; choose another {setting}, or add --overwrite to replace it."
        )


def require_new(flag: str, path: Path, overwrite: bool) -> None:
    """UsageError where a file that says nothing of its origin would be replaced.

    What is no regular file, as ``/dev/stdout``, is written to and not replaced.
    """
    if not overwrite and _is_file(path) and (path.is_file() or not path.exists()):
        raise UsageError(f"{flag} {path} is there; choose another file, or add --overwrite.")


def require_own_json(flag: str, path: Path, command: str, overwrite: bool) -> None:
    """UsageError where a file would be replaced that is no JSON of an earlier run of a command."""
    if overwrite or not path.is_file() or _names_command(path, command):
        return
    raise UsageError(
        f"{flag} {path} is there, and it is no result of `hierseg {command}`; choose another file, "
        "or add --overwrite."
    )


def require_own_png(flag: str, path: Path, command: str, overwrite: bool) -> None:
    """UsageError where a picture would be replaced that no earlier run of a command has drawn."""
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
            f"'{path}' is there, and `hierseg {command}` did not draw it; choose another {flag}, "
            "or add --overwrite to replace it."
        )


def sign_png(content: bytes, command: str) -> bytes:
    """A PNG with what says whose it is, behind the chunk that holds its size."""
    return content[:_BEHIND_SIZE] + _signature(command) + content[_BEHIND_SIZE:]


_BEHIND_SIZE = 33
"""Bytes of a PNG's signature and its first chunk."""


def _signature(command: str) -> bytes:
    text = b"tEXtSoftware\0" + f"hierseg {command}".encode()
    return (len(text) - 4).to_bytes(4) + text + zlib.crc32(text).to_bytes(4)


def with_header(content: Mapping[str, Any], command: str) -> dict[str, Any]:
    """The content of a JSON file, after what says whose it is."""
    from hierseg.version import __version__

    return {HEADER: __version__, "command": command, **content}


def _names_command(path: Path, command: str) -> bool:
    try:
        content = json.loads(read_text_file(path, largest=LARGEST_RECORD))
    except (UserError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and HEADER in content and content.get("command") == command


def _is_file(path: Path) -> bool:
    """Whether there is anything but a folder; a link, wherever it leads, is replaced itself."""
    try:
        return not stat.S_ISDIR(path.lstat().st_mode)
    except (OSError, ValueError):  # none, or a name that there cannot be
        return False


class FileRecord:
    """The files that a command writes into a folder, for the next run of it to know them by.

    Each is in the record, ``.hierseg-COMMAND.jsonl``, before it is written, so that a run that is
    killed leaves nothing that is nobody's. Processes that write into one folder together have each
    a part of the record.

    Args:
        folder: Of the files.
        command: Whose they are.
        part: Of the processes that share the folder; empty for one alone.
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
        """UsageError where one of the files, relative to the folder, is there and is not in the
        record.

        Args:
            files: That the command may write.
            setting: By which another folder is chosen.
            overwrite: Whether all may be replaced.
            is_own: What else is known to be the command's own.
        """
        if overwrite or not (foreign := find_foreign(self.folder, files, self.__contains__)):
            return
        self._read()  # another process of this run may have written them meanwhile
        foreign = [file for file in foreign if file not in self and not is_own(file)]
        refuse_foreign(self.folder, foreign, self.command, setting)

    def add(self, *files: str) -> None:
        """Have files, relative to the folder, in the record; to be called before each is written.

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
        """Keep the record for the next run."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        """Remove the record, where another one says the same by now."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _read(self) -> None:
        """Take up what all parts say; a line that was cut off says nothing."""
        start = f".hierseg-{self.command}"
        parts = self.folder.glob(f"{start}.*.jsonl")
        for path in (self.folder / f"{start}.jsonl", *parts):
            files = (line for line in read_lines(path) if isinstance(line, str))
            self._own.update(filter(is_inside, files))


def read_lines(path: Path) -> Iterator[Any]:
    """The lines of a file of JSON, but for those that were cut off or that a power cut spoilt; none
    where there is no such file, or what is there is no file.
    """
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
    """Whether a path from a record stays in its folder, and can be a path at all."""
    try:
        os.fsencode(file)
    except ValueError:
        return False
    path = PurePosixPath(file)
    return "\0" not in file and not path.is_absolute() and ".." not in path.parts


def _line(content: Any) -> bytes:
    return json.dumps(content).encode() + b"\n"
