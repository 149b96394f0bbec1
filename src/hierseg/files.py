"""Files: reading small files of a user, walking folders, writing atomically, and locking a folder
for one process.
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
from hierseg.processes import is_running

LARGEST_TEXT = 16 << 20
"""Most bytes of a description, a table or a configuration; files written by hand are smaller."""
LOCK = ".hierseg.lock"
"""Name of the hidden file by which a process locks a folder. It exists while the lock is held; the
file that a killed process leaves behind locks nothing."""
MOST_VISITS = 100
"""How often one folder is entered through links, at most: if each of n folders has two links to the
next, 2^n paths lead to the last."""


def read_text_file(path: Path, what: str = "file", largest: int = LARGEST_TEXT) -> str:
    """The text of a small file that a user wrote: UTF-8, with or without a byte order mark.

    Args:
        path: The file.
        what: What messages call it, such as "description".
        largest: Most bytes that it may have.

    Raises:
        UserError: The file is missing, not a regular file, too large, or not UTF-8.
    """
    try:
        content = read_regular(path, largest)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise UserError(
                f"'{path}' has more than {largest >> 20} MB, too much for a {what}; name the right "
                "file."
            ) from error
        raise UserError(f"the {what} '{path}' cannot be read: {reason_of(error)}.") from error
    except ValueError as error:  # a NUL in the name
        raise UserError(f"the {what} '{path}' cannot be the name of a file; check it.") from error
    return decode_text(content, path, what)


def read_regular(path: Path, largest: int) -> bytes:
    """The content of a regular file of at most ``largest`` bytes.

    Raises:
        OSError: It cannot be read, is larger, or is a folder, a pipe or a device: reading a pipe
            could wait for ever, and a device may never end.
    """
    # O_NONBLOCK: opening a pipe that nobody writes to would wait.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, "a folder", str(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file; name one that is", str(path))
        content = b""
        if status.st_size <= largest:  # so the buffer is no larger than the file
            content = file.read(status.st_size + 1)
        if len(content) > status.st_size:  # files in /proc state no size
            content += file.read(largest + 1 - len(content))
    if max(len(content), status.st_size) > largest:
        raise OSError(errno.EFBIG, f"it has more than {largest >> 20} MB", str(path))
    return content


def decode_text(content: bytes, path: Path, what: str = "file") -> str:
    """Decode UTF-8, with or without a byte order mark; UserError, naming the file, if it is not."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"the {what} '{path}' is not text in UTF-8; save it as UTF-8.") from error


_BINARY = getattr(os, "O_BINARY", 0)  # Windows would change line endings
_APPEND = os.O_CREAT | os.O_APPEND | _BINARY | getattr(os, "O_NOFOLLOW", 0)


def open_to_append(path: Path) -> IO[bytes]:
    """Open a file of hierseg to append lines; OSError if a link lies there.

    If its last line was cut off, a line break is added, so that the next line is whole.
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
"""Most bytes of a name: file systems take 255, and writers append endings such as
``_labels.png``."""


def shorten_name(name: str) -> str:
    """A file's name; if it is too long, its end, after a digest that keeps it distinct from other
    names with that end.
    """
    encoded = os.fsencode(name)
    if len(encoded) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:12]
    kept = encoded[-(LONGEST_NAME - 13) :].decode("utf-8", "ignore")
    return f"{digest}_{kept}"


class UnreadableFolderError(UserError):
    """The content of a folder cannot be listed, so files may be missing."""

    def __init__(self, folder: Path, error: OSError) -> None:
        super().__init__(
            f"the folder '{folder}' cannot be read, so its files would be left out: "
            f"{reason_of(error)}."
        )


def refuse_unreadable(folder: Path, error: OSError) -> None:
    """An ``on_unreadable`` for ``walk_files`` that raises UnreadableFolderError."""
    raise UnreadableFolderError(folder, error) from error


def walk_files(
    folder: Path,
    on_unreadable: Callable[[Path, OSError], None],
    enter: Callable[[Path], bool] | None = None,
    with_hidden: bool = False,
) -> Iterator[Path]:
    """Yield all files below a folder; links to folders are followed.

    A link to a folder that contains the link is skipped. Pipes, devices and broken links are
    yielded too: the caller finds out on reading them. A broken link whose name has no suffix counts
    as a folder that cannot be listed. The order is by name within a folder, files before folders.

    Args:
        folder: Where to begin; it may be hidden itself.
        on_unreadable: Called with each folder that cannot be listed and the reason; the walk
            continues without that folder.
        enter: Says whether to enter a folder; None enters all.
        with_hidden: Include files and folders whose names begin with a dot.
    """
    visits: Counter[_Identity] = Counter()
    stack: list[tuple[Path, frozenset[_Identity]]] = [(folder, frozenset())]
    while stack:  # not recursive: folders may be deeper than Python's recursion limit
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
    except OSError:  # a link to itself, or into a folder that may not be read
        is_broken = True
    return is_broken and not Path(entry).suffix  # perhaps a folder on a disk that is not mounted


class FolderLock:
    """A context in which only this process may write to a folder.

    The kernel releases the lock when the process ends, however it ends. Forked processes do not
    hold it.

    Args:
        folder: The folder; created if it does not exist.
        setting: The setting that chooses another folder, for the message, such as ``--out``.

    Raises:
        UserError: Another run holds the lock; the message names its process, host and start.
        OSError: The folder cannot be created or written to.
    """

    def __init__(self, folder: Path, setting: str = "--out") -> None:
        self.folder, self.setting = folder, setting
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / LOCK
        key = str(path.resolve())
        with _guard:  # the kernel lets a process take its own lock again
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
        """Open and lock the file. Its last holder removes it, perhaps between opening and locking:
        then try again with the new file.
        """
        while True:
            try:
                # O_NOFOLLOW: behind a link, another file would be truncated.
                file = os.fdopen(os.open(path, _APPEND | os.O_RDWR, 0o666), "a+b")
            except FileNotFoundError:  # the last holder has removed the folder too
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
                if os.getpid() == self._process:  # a forked process does not hold the lock
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
    if sys.platform == "win32":  # has no fcntl: users must keep runs apart
        return True
    import fcntl

    try:
        # lockf locks for the process, not for the open file: forked workers do not share it.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _describe_holder(path: Path) -> str:
    """`` (process 12 on host, since ...)``; empty if the file does not say."""
    try:
        # The holder itself must not open the file: closing it would release the lock.
        if str(path.resolve()) in _held:
            return " (this process)"
        holder: Any = json.loads(read_text_file(path))
        return f" (process {holder['process']:d} on {holder['host']}, since {holder['since']})"
    except (UserError, ValueError, KeyError, TypeError):
        return ""


def write_json(path: Path, content: Mapping[str, Any], within: Path | None = None) -> Path:
    """Write JSON that any parser reads: ASCII, without NaN."""
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    return write_bytes(path, text.encode(), within)


def write_text(path: Path, text: str, within: Path | None = None) -> Path:
    """Write text as UTF-8; arguments as of ``write_bytes``."""
    return write_bytes(path, text.encode("utf-8", errors="replace"), within)


def write_bytes(path: Path, content: bytes, within: Path | None = None) -> Path:
    """Write a file atomically: it is complete or as it was before, even if two processes write it.

    Args:
        path: The file.
        content: Its new content.
        within: Folder of the temporary file, on the same disk; None for ``path``'s own.
    """
    with replacing(path, within) as part:
        part.write_bytes(content)
    return path


@contextmanager
def replacing(path: Path, within: Path | None = None, durable: bool = False) -> Iterator[Path]:
    """A context that gives a temporary file, which replaces ``path`` if the block ends without an
    error and is removed otherwise.

    Args:
        path: The file; its folder must exist.
        within: Folder of the temporary file, on the same disk; None for ``path``'s own.
        durable: Synchronise the file to the disk before it replaces ``path``, and its folder after.

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
    """``replacing`` with ``durable``; UserError if the file cannot be written."""
    try:
        with replacing(path, durable=True) as part:
            yield part
    except OSError as error:
        raise UserError(f"{path} cannot be written: {reason_of(error)}.") from error


def move_into_place(part: Path, path: Path, durable: bool = False) -> None:
    """Rename a finished temporary file to ``path``, replacing what is there.

    Args:
        part: The temporary file.
        path: The new name, on the same disk.
        durable: Synchronise the file to the disk before the rename, and its folder after.
    """
    if durable:
        synchronise(part)
    part.replace(path)
    if durable:
        synchronise(path.parent)


def synchronise(path: Path) -> None:
    """Write a file's content, or a folder's entries, to the disk before returning."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_leftovers(place: Path) -> None:
    """Remove temporary files of killed processes of this machine.

    Args:
        place: A folder, for all temporary files below it, or a file, for those of that file.
    """
    if place.is_dir():
        parts = place.rglob(".hierseg-*-*.part")
    else:
        parts = place.parent.glob(f".hierseg-{_digest(place)}-*-*.part")
    for part in parts:
        process = part.name.split("-")[-2]
        # On Windows os.kill would end the process.
        if os.name == "posix" and process.isdecimal() and not is_running(int(process)):
            part.unlink(missing_ok=True)


def _digest(path: Path) -> str:
    """Identifies a file's temporary files, however long its name is."""
    return hashlib.sha256(os.fsencode(path.name)).hexdigest()[:8]
