"""Small files that a user brings, all files below a folder, files that are written whole or not at
all, and folders that one process alone may write to.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
import stat
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

from hierseg.errors import UserError, reason_of

LARGEST_TEXT = 16 << 20
"""Bytes of a description, a table, a configuration: far more than any that somebody wrote."""
LOCK = ".hierseg.lock"
"""The file by which a process holds a folder; hidden, and there while it is held. What a killed
process leaves of it holds nothing."""
MOST_VISITS = 100
"""Times that one folder is entered, by links: where each of n folders has two links to the next,
2^n paths lead to the last."""


def read_text_file(path: Path, what: str = "file", largest: int = LARGEST_TEXT) -> str:
    """The text of a small file that a user wrote: UTF-8, with or without a byte order mark.

    Args:
        path: The file.
        what: What it is called in a sentence, such as "description".
        largest: Bytes that it may have.

    Raises:
        UserError: It is missing, no regular file (a pipe would wait for ever, a device never end),
            larger than it may be, or not UTF-8.
    """
    try:
        content = read_regular(path, largest)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise UserError(
                f"the {what} '{path}' has more than {largest >> 20} MB, so it is none; name the "
                "right file."
            ) from error
        raise UserError(f"the {what} '{path}' cannot be read: {reason_of(error)}.") from error
    except ValueError as error:  # a NUL in the name
        raise UserError(f"the {what} '{path}' is no name of a file; check it.") from error
    return decode_text(content, path, what)


def read_regular(path: Path, largest: int) -> bytes:
    """The content of a file; OSError where it is a pipe, which would wait for ever, a device, which
    never ends, or has more bytes than it may.
    """
    # Not to wait where it is a pipe that nobody writes to.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, "a folder", str(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file; name one that is", str(path))
        content = b""
        if status.st_size <= largest:  # no larger buffer is taken at once than the file needs
            content = file.read(status.st_size + 1)
        if len(content) > status.st_size:  # what /proc holds states no size
            content += file.read(largest + 1 - len(content))
    if max(len(content), status.st_size) > largest:
        raise OSError(errno.EFBIG, f"it has more than {largest >> 20} MB", str(path))
    return content


def decode_text(content: bytes, path: Path, what: str = "file") -> str:
    """Text in UTF-8, with or without a byte order mark; UserError naming the file for others."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"the {what} '{path}' is not text in UTF-8; save it as such.") from error


_BINARY = getattr(os, "O_BINARY", 0)  # Windows would change line endings
_APPEND = os.O_CREAT | os.O_APPEND | _BINARY | getattr(os, "O_NOFOLLOW", 0)


def open_to_append(path: Path) -> IO[bytes]:
    """A file of ours that lines are added to; OSError where a link lies there. What was cut off in
    the middle of a line is ended, so that the next one begins anew.
    """
    file = os.fdopen(os.open(path, _APPEND | os.O_RDWR, 0o666), "a+b")
    end = file.seek(0, os.SEEK_END)
    if end:
        file.seek(end - 1)
        if file.read(1) != b"\n":
            file.write(b"\n")
            file.flush()
    return file


LONGEST_NAME = 244
"""Bytes of a name that what a writer appends, such as ``_labels.png``, still fits behind: file
systems take 255."""


def shorten_name(name: str) -> str:
    """A file's name as it is, or, of one that is too long, its end and what tells it from others
    with that end.
    """
    encoded = os.fsencode(name)
    if len(encoded) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:12]
    kept = encoded[-(LONGEST_NAME - 13) :].decode("utf-8", "ignore")
    return f"{digest}_{kept}"


class UnreadableFolderError(UserError):
    """What is in a folder cannot be listed, so that files may be missing."""

    def __init__(self, folder: Path, error: OSError) -> None:
        super().__init__(
            f"the folder '{folder}' cannot be read, and what is in it would be left out: "
            f"{reason_of(error)}."
        )


def refuse_unreadable(folder: Path, error: OSError) -> None:
    """The ``on_unreadable`` of ``walk_files`` where every file counts: UnreadableFolderError."""
    raise UnreadableFolderError(folder, error) from error


def walk_files(
    folder: Path,
    on_unreadable: Callable[[Path, OSError], None],
    enter: Callable[[Path], bool] | None = None,
    with_hidden: bool = False,
) -> Iterator[Path]:
    """Everything below a folder that is no folder itself; links to folders are followed.

    A link to a folder that it lies in is passed over. Pipes, devices and broken links are yielded:
    whether a file can be read shows when it is. A broken link whose name has no suffix counts as a
    folder that cannot be listed. The order is by name within a folder, files before folders.

    Args:
        folder: Where to begin; it may be hidden itself.
        on_unreadable: Called with each folder that cannot be listed and the reason; the walk goes
            on without it.
        enter: Whether to go into a folder; without it, into all.
        with_hidden: Yield and enter also what is hidden, by a name that begins with a dot.
    """
    visits: Counter[_Identity] = Counter()
    stack: list[tuple[Path, frozenset[_Identity]]] = [(folder, frozenset())]
    while stack:  # no recursion: folders may lie deeper than Python may call
        here, above = stack.pop()
        try:
            identity = _identify(here)
            if identity in above:
                continue
            visits[identity] += 1
            if visits[identity] > MOST_VISITS:
                raise OSError(errno.ELOOP, f"more than {MOST_VISITS} links lead there")
            with os.scandir(here) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            on_unreadable(here, error)
            continue
        within = above | {identity}
        folders = []
        for entry in found:
            if entry.name.startswith(".") and not with_hidden:
                continue
            path = here / entry.name
            if not _may_be_folder(entry):
                yield path
            elif enter is None or enter(path):
                folders.append((path, within))
        stack += reversed(folders)


class _Identity(NamedTuple):
    device: int
    inode: int


def _identify(folder: Path) -> _Identity:
    status = folder.stat()
    return _Identity(status.st_dev, status.st_ino)


def _may_be_folder(entry: os.DirEntry[str]) -> bool:
    try:
        if entry.is_dir():
            return True
        is_broken = entry.is_symlink() and not entry.is_file() and not Path(entry).exists()
    except OSError:  # a link that leads to itself, or to where one may not look
        is_broken = True
    return is_broken and not Path(entry).suffix  # as of a disk that is not mounted


class FolderLock:
    """A folder that this process alone writes to, for as long as the ``with`` lasts.

    The kernel lets go of it when the process ends, however it ends. What is forked from the
    process does not hold it.

    Args:
        folder: Made where it is not.
        setting: The setting by which another folder is chosen, for the sentence, such as ``--out``.

    Raises:
        UserError: Another run writes there; the sentence says which process, where, since when.
        OSError: The folder cannot be made or written to.
    """

    def __init__(self, folder: Path, setting: str = "--out") -> None:
        self.folder, self.setting = folder, setting
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / LOCK
        key = str(path.resolve())
        with _guard:  # the kernel does not keep a process from what it holds itself
            if key in _held:
                raise self._refusal(path)
            file = self._open(path)
            _held.add(key)
        self._key, self._process = key, os.getpid()
        holder = {
            "process": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).astimezone().isoformat(timespec="seconds"),
        }
        file.truncate(0)
        file.write(json.dumps(holder).encode())
        file.flush()
        self._file = file
        return self

    def _open(self, path: Path) -> IO[bytes]:
        """The file, locked. Whoever lets go of it removes it, so that it may be gone, or another
        one, by the time that it is locked: then once more.
        """
        while True:
            try:
                # A link there would have what it leads to cut off.
                file = os.fdopen(os.open(path, _APPEND | os.O_RDWR, 0o666), "a+b")
            except FileNotFoundError:  # whoever held the folder has removed it as well
                self.folder.mkdir(parents=True, exist_ok=True)
                continue
            if not _lock(file):
                file.close()
                raise self._refusal(path)
            try:
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    return file
            except FileNotFoundError:
                pass
            file.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            with _guard:
                if os.getpid() == self._process:  # what was forked does not hold it
                    with suppress(OSError):
                        (self.folder / LOCK).unlink()
                self._file.close()
                _held.discard(self._key)
            self._file = None

    def _refusal(self, path: Path) -> UserError:
        return UserError(
            f"another run writes into '{self.folder}'{_describe_holder(path)}; wait for it, or "
            f"give another {self.setting}."
        )


_guard = threading.Lock()
_held: set[str] = set()


def _lock(file: IO[bytes]) -> bool:
    if sys.platform == "win32":  # no such lock there: the user keeps runs apart
        return True
    import fcntl

    try:
        # A lock of the process, not of the open file: workers that are forked do not share it.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _describe_holder(path: Path) -> str:
    """`` (process 12 on host, since ...)``; empty where the file does not say."""
    try:
        # Never through a file object of the holder's own process: closing that would let it go.
        if str(path.resolve()) in _held:
            return " (this process)"
        holder: Any = json.loads(read_text_file(path))
        return f" (process {holder['process']:d} on {holder['host']}, since {holder['since']})"
    except (UserError, ValueError, KeyError, TypeError):
        return ""


def write_json(path: Path, content: Mapping[str, Any], within: Path | None = None) -> Path:
    """Write JSON that any reader takes: ASCII, no NaN."""
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    return write_bytes(path, text.encode(), within)


def write_text(path: Path, text: str, within: Path | None = None) -> Path:
    """Write text in UTF-8."""
    return write_bytes(path, text.encode("utf-8", errors="replace"), within)


def write_bytes(path: Path, content: bytes, within: Path | None = None) -> Path:
    """Write a file so that it is either complete or as it was before, also if two write it.

    Args:
        path: The file.
        content: What it holds afterwards.
        within: Folder of the passing file, on the same disk; ``path``'s own without it.
    """
    with replacing(path, within) as part:
        part.write_bytes(content)
    return path


@contextmanager
def replacing(path: Path, within: Path | None = None, durable: bool = False) -> Iterator[Path]:
    """A passing file that takes the place of ``path`` when the block ends well, and else is gone.

    Args:
        path: The file; its folder must exist.
        within: Folder of the passing file, on the same disk; ``path``'s own without it.
        durable: Have it on the disk before it is in its place, and then the place itself.

    Raises:
        OSError: It cannot be written; the error names ``path``.
    """
    name = f".hierseg-{_digest(path)}-{os.getpid()}-{threading.get_ident()}.part"
    part = (path.parent if within is None else within) / name
    try:
        part.touch()
        yield part
        move_into_place(part, path, durable)
    except BaseException as error:
        with suppress(OSError):
            part.unlink()
        if isinstance(error, OSError) and error.filename in (None, part, str(part)):
            error.filename, error.filename2 = str(path), None
        raise


@contextmanager
def saving(path: Path) -> Iterator[Path]:
    """``replacing``, on the disk whatever happens to the machine; UserError where it cannot be."""
    try:
        with replacing(path, durable=True) as part:
            yield part
    except OSError as error:
        raise UserError(f"{path} cannot be written: {reason_of(error)}.") from error


def move_into_place(part: Path, path: Path, durable: bool = False) -> None:
    """Rename a file that is whole over another, or to where none is.

    Args:
        part: The file as it was written.
        path: Its place, on the same disk.
        durable: Have it on the disk before it is in its place, and then the place itself.
    """
    if durable:
        synchronise(part)
    part.replace(path)
    if durable:
        synchronise(path.parent)


def synchronise(path: Path) -> None:
    """Have a file's content, or a folder's entries, on the disk before what follows."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_leftovers(place: Path) -> None:
    """Remove what processes of this machine were writing when they were killed.

    Args:
        place: A folder, for all that is below it, or a file, for what was to become that file.
    """
    if place.is_dir():
        parts = place.rglob(".hierseg-*-*.part")
    else:
        parts = place.parent.glob(f".hierseg-{_digest(place)}-*-*.part")
    for part in parts:
        process = part.name.split("-")[-2]
        # Elsewhere the question whether a process lives can end it.
        if os.name == "posix" and process.isdecimal() and not _lives(int(process)):
            part.unlink(missing_ok=True)


def _digest(path: Path) -> str:
    """Tells the passing files of one folder apart, however long the names are."""
    return hashlib.sha256(os.fsencode(path.name)).hexdigest()[:8]


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True
