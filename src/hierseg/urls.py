"""Folders at URLs, such as ``s3://bucket/frames``, through fsspec: a folder here stands for one
there, in which files are placeholders of the right size and time until their content is needed.
"""

from __future__ import annotations

import functools
import glob
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from hierseg.errors import UsageError, UserError
from hierseg.files import LOCK, walk_files
from hierseg.ownership import is_inside
from hierseg.processes import Launch

NOTES = frozenset({".json", ".jsonl", ".yaml", ".yml", ".txt", ".csv", ".tsv"})
"""Suffixes of small files that say something of the others; those near the top are fetched."""
LARGEST_NOTE = 1 << 30
DEPTH = 1
"""Folders below that of the URL in which such files are looked for."""
SECONDS_BETWEEN = 5.0
"""Between two times that a file is sent that lines are added to."""
SHARE = 0.05
"""Of the time that goes by, which sending it may take."""
_STAYS = re.compile(r"\.hierseg-doing(\..*)?\.json|\.hierseg-.*\.part")
"""Files that say something of processes of this machine alone."""
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/{1,2}(?=[^/])")
_BUCKETS = frozenset({"s3", "s3a", "gs", "gcs"})
_PACKAGES = {"s3": 'pip install "hierseg[cluster]"', "s3a": 'pip install "hierseg[cluster]"'}


def find_url(place: str | Path | None) -> str | None:
    """The URL that a place is, also one that has passed for a path and lost a stroke; None of what
    is none, and of a path that is there.
    """
    text = "" if place is None else str(place)
    found = _SCHEME.match(text)
    if found is None or ("://" not in text and os.path.lexists(text)):
        return None
    return f"{found[1].lower()}://{text[found.end() :].rstrip('/')}"


def refuse_urls(command: str, *places: str | Path | None) -> None:
    """UsageError for a URL where a command, as it was called, takes paths of this machine alone."""
    for place in places:
        if (url := find_url(place)) is not None:
            raise UsageError(
                f"`hierseg {command}` takes a path in place of {url}; give one on this machine."
            )


class File(NamedTuple):
    """What is known of a file at a URL: bytes, and when it was last changed, in nanoseconds."""

    size: int
    modified: int


class Mirror:
    """A folder here that stands for one at a URL; it can be sent to other processes.

    Args:
        url: Of the folder there.
        folder: The folder here; made where it is not.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self._sent: dict[str, tuple[int, int]] = {}
        self._watched: list[Path] = []
        self._told, self._cost = time.monotonic(), 0.0

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_sent": {}, "_watched": []}

    def name(self, path: Path) -> str:
        """The URL of the folder, or of a file in it."""
        if path == self.folder:
            return self.url
        return f"{self.url}/{path.relative_to(self.folder).as_posix()}"

    def list(self, leave: str = "", only: str = "") -> int:
        """Have a placeholder for each file there, and the content of notes; gives how many.

        Args:
            leave: URL of a folder that is left out.
            only: The one file that is asked for; all where it is empty.

        Raises:
            UserError: The URL cannot be read.
        """
        with _naming(self.url):
            files, root = _open(self.url)
            if only:
                found = {f"{root}/{only}": files.info(f"{root}/{only}")}
            else:
                found = files.find(root, detail=True)
        inside = {name[len(root) :].lstrip("/"): info for name, info in found.items()}
        above = {str(parent) for name in inside for parent in PurePosixPath(name).parents}
        self.folder.mkdir(parents=True, exist_ok=True)
        count = 0
        for name, info in inside.items():
            is_left = leave and f"{self.url}/{name}".startswith(f"{leave}/")
            if is_left or name in above or not _is_plain(name):
                continue
            path = self.folder / name
            self._place(path, _describe(info))
            is_note = PurePosixPath(name).suffix.lower() in NOTES and name.count("/") <= DEPTH
            if is_note and path.stat().st_size <= LARGEST_NOTE:
                self.fetch(path)
            self._sent[name] = _stamp(path)
            count += 1
        return count

    def fetch(self, path: Path) -> None:
        """Have a file's content here; UserError where it cannot be had."""
        url = self.name(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".hierseg-{os.getpid()}-{path.name[-100:]}.part")
        try:
            with _naming(url):
                files, there = _open(url)
                info = _describe(files.info(there))
                files.get_file(there, str(part))
            os.utime(part, ns=(info.modified, info.modified))
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def release(self, path: Path) -> None:
        """Have a placeholder again in place of a file's content."""
        with suppress(OSError):  # it only takes room
            self._place(path, File(*_stamp(path)))

    def send(self, path: Path, keep: bool = False) -> None:
        """Write a file there; nothing stays here unless it is to be kept.

        Raises:
            UserError: It cannot be written there.
        """
        stamp = _stamp(path)
        with _naming(self.name(path)):
            files, there = _open(self.name(path))
            files.put_file(str(path), there)
        name = path.relative_to(self.folder).as_posix()
        if keep:
            self._sent[name] = stamp
        else:  # a placeholder that another process has made would be taken for content
            self._sent.pop(name, None)
            path.unlink()

    def watch(self, *paths: Path) -> None:
        """Have files sent now and again, which lines are added to."""
        self._watched += paths

    def tell(self) -> None:
        """Send them, where that was long enough ago for what it costs."""
        now = time.monotonic()
        if not self._watched or now - self._told < max(SECONDS_BETWEEN, self._cost / SHARE):
            return
        for path in self._watched:
            if path.is_file():
                self.send(path, keep=True)
        self._told = time.monotonic()
        self._cost = self._told - now

    def sync(self) -> None:
        """Write there what is new or changed here, and remove what is gone here.

        Raises:
            UserError: The URL cannot be written.
        """
        for path in walk_files(self.folder, _ignore, with_hidden=True):
            name = path.relative_to(self.folder).as_posix()
            stays = path.name == LOCK or _STAYS.fullmatch(path.name)
            if not stays and self._sent.get(name) != _stamp(path):
                self.send(path, keep=True)
        for name in [name for name in self._sent if not (self.folder / name).exists()]:
            with _naming(f"{self.url}/{name}"), suppress(FileNotFoundError):
                files, there = _open(f"{self.url}/{name}")
                files.rm_file(there)
            del self._sent[name]

    def _place(self, path: Path, file: File) -> None:
        """A placeholder: a file without content, which takes no room."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as handle:
            handle.truncate(file.size)
        os.utime(path, ns=(file.modified, file.modified))


class Mirrors(NamedTuple):
    """The mirrors of a run: of its sources, and of its outputs. Without any, all files are here.

    Attributes:
        sources: Their files are fetched as they are read.
        out: Its files are sent as they are written; None for outputs that stay here.
    """

    sources: tuple[Mirror, ...] = ()
    out: Mirror | None = None

    def name(self, path: Path) -> str:
        """What a file is called wherever the run goes on: its URL, or its path."""
        mirror = self._find(path)
        return str(path) if mirror is None else mirror.name(path)

    def place(self, name: str) -> Path:
        """Where the file of such a name is here."""
        for mirror in self.sources:
            if name == mirror.url or name.startswith(f"{mirror.url}/"):
                return mirror.folder / name[len(mirror.url) :].lstrip("/")
        return Path(name)

    def rename(self, text: str) -> str:
        """A text in which files have the names that they have wherever the run goes on."""
        for mirror in (*self.sources, *([] if self.out is None else [self.out])):
            text = text.replace(str(mirror.folder), mirror.url)
        return text

    @contextmanager
    def having(self, *paths: Path | None) -> Iterator[None]:
        """Have the content of files here for as long as the ``with`` lasts.

        Raises:
            UserError: It cannot be had.
        """
        with ExitStack() as stack:
            for path in paths:
                mirror = None if path is None else self._find(path)
                if mirror is not None and path is not None:
                    mirror.fetch(path)
                    stack.callback(mirror.release, path)
            yield

    def send(self, files: Iterable[str]) -> None:
        """Send outputs, relative to their folder; UserError where they cannot be sent."""
        if self.out is not None:
            for file in files:
                self.out.send(self.out.folder / file)

    def tell(self) -> None:
        """Send what says how far the run is, now and again."""
        if self.out is not None:
            self.out.tell()

    def _find(self, path: Path) -> Mirror | None:
        known = (*self.sources, *([] if self.out is None else [self.out]))
        return next((one for one in known if path.is_relative_to(one.folder)), None)


HERE = Mirrors()
"""All files are on this machine."""


class Staging:
    """Makes mirrors of URLs in a passing folder; a context, at whose end outputs are sent."""

    def __init__(self) -> None:
        self.sources: list[Mirror] = []
        self.out: Mirror | None = None
        self._folder: TemporaryDirectory[str] | None = None

    @property
    def mirrors(self) -> Mirrors:
        """Those that there are."""
        return Mirrors(tuple(self.sources), self.out)

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            # What ends a run may be that the URL is not reached.
            with nullcontext() if error is None else suppress(UserError):
                if self.out is not None and self.out.folder.is_dir():
                    self.out.sync()
        finally:
            if self._folder is not None:
                self._folder.cleanup()
        said = self.mirrors.rename(str(error))
        if isinstance(error, UserError) and said != str(error):
            raise (UsageError if isinstance(error, UsageError) else UserError)(said) from error

    def bring_source(self, source: str) -> str:
        """The path here of a source; as it is where it is no URL.

        Args:
            source: A folder, file or glob.

        Raises:
            UserError: There is nothing at the URL, or it cannot be read.
        """
        url = find_url(source)
        if url is None:
            return source
        (base, pattern), only = _split_glob(url), ""
        with _naming(base):
            files, there = _open(base)
            if not pattern and files.isfile(there):
                base, _, only = base.rpartition("/")
        leave = "" if self.out is None else self.out.url
        if leave and url == leave:
            raise UsageError(f"{url} is the folder of the outputs too; choose another --out.")
        mirror = self._make(base)
        self.sources.append(mirror)
        if mirror.list(leave, only) == 0:
            raise UsageError(f"there is nothing at {base}; check the URL.")
        if only:
            return str(mirror.folder / only)
        folder = glob.escape(str(mirror.folder)) if glob.has_magic(pattern) else mirror.folder
        return f"{folder}/{pattern}" if pattern else str(mirror.folder)

    def bring_root(self, root: Path | None) -> Path | None:
        """The path here of a data set's folder; errors as of ``bring_source``."""
        url = find_url(root)
        return root if url is None else Path(self.bring_source(url))

    def bring_out(self, out: Path) -> Path:
        """The path here of the outputs' folder, with placeholders for what is there already.

        Raises:
            UserError: The URL cannot be read.
        """
        url = find_url(out)
        if url is None:
            return out
        self.out = self._make(url)
        try:
            self.out.list()
        except _MissingError:  # a folder is made with the first file, and a bucket is not
            if url.partition("://")[0] in _BUCKETS:
                raise
        self.out.folder.mkdir(parents=True, exist_ok=True)
        return self.out.folder

    def _make(self, url: str) -> Mirror:
        if Launch.find().processes > 1:
            raise UsageError(f"{url} is read and written by one process; leave out torchrun.")
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="hierseg-urls-")
        number = len(self.sources) + (self.out is not None)
        scheme, _, rest = url.partition("://")
        return Mirror(url, Path(self._folder.name).resolve() / f"{number}-{scheme}" / rest)


class _MissingError(UserError):
    """There is nothing at a URL."""


@contextmanager
def _naming(url: str) -> Iterator[None]:
    """UserError that names a URL, for whatever an implementation of fsspec raises."""
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError as error:
        raise _MissingError(f"there is nothing at {url} ({_say(error)}); check the URL.") from error
    except ImportError as error:
        scheme = url.partition("://")[0]
        cure = _PACKAGES.get(scheme, "install it")
        raise UserError(
            f"{scheme}:// needs a package that is missing ({_say(error)}): {cure}."
        ) from error
    except PermissionError as error:
        raise UserError(
            f"{url} is refused ({_say(error)}); check the credentials, and what they allow."
        ) from error
    except Exception as error:  # each storage has its own
        raise UserError(
            f"{url} is not reached ({_say(error)}); check it, and the network."
        ) from error


def _say(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")[:200]


@functools.cache
def _open_storage(scheme: str) -> Any:
    import fsspec

    if scheme not in fsspec.available_protocols():
        raise UsageError(f"{scheme}:// is no kind of URL that is known; see fsspec's list.")
    return fsspec


def _open(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    fsspec = _open_storage(url.partition("://")[0])
    files, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    return files, str(path)


def _describe(info: dict[str, Any]) -> File:
    """Size and time of a file, as far as its storage tells them."""
    found = next((info[key] for key in _TIMES if info.get(key) is not None), 0)
    if isinstance(found, datetime):
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    try:
        modified = round(float(found) * 1e6) * 1000  # listings and files may round differently
    except (TypeError, ValueError):
        modified = 0
    return File(int(info.get("size") or 0), max(0, modified))


_TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")


def _is_plain(name: str) -> bool:
    """Whether a name of a file there can be one here."""
    return is_inside(name) and all(PurePosixPath(name).parts) and "//" not in name and name != ""


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _split_glob(url: str) -> tuple[str, str]:
    """The part of a URL before a pattern, and the pattern."""
    parts = url.split("/")
    for place, part in enumerate(parts):
        if place > 2 and glob.has_magic(part):
            return "/".join(parts[:place]), "/".join(parts[place:])
    return url, ""


def _ignore(folder: Path, error: OSError) -> None:
    """A folder that is gone meanwhile."""


__all__: Sequence[str] = ("HERE", "Mirror", "Mirrors", "Staging", "find_url", "refuse_urls")
