"""Folders at URLs, such as ``s3://bucket/frames``, through fsspec.

A local folder mirrors the remote one. Its files are placeholders of the right size and time until
their content is needed.
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
"""Suffixes of notes: small files that describe the others, such as records. Notes near the top are
fetched at once."""
LARGEST_NOTE = 1 << 30
"""Most bytes of a note that is fetched at once."""
DEPTH = 1
"""Levels of folders below the URL's in which notes are fetched at once."""
SECONDS_BETWEEN = 5.0
"""Least seconds between two uploads of a growing file."""
SHARE = 0.05
"""Largest share of the time that uploads of growing files may take."""
_STAYS = re.compile(r"\.hierseg-doing(\..*)?\.json|\.hierseg-.*\.part")
"""Files about processes of this machine, which are not uploaded."""
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/{1,2}(?=[^/])")
_BUCKETS = frozenset({"s3", "s3a", "gs", "gcs"})
_PACKAGES = {"s3": 'pip install "hierseg[cluster]"', "s3a": 'pip install "hierseg[cluster]"'}


def find_url(place: str | Path | None) -> str | None:
    """The URL in ``place``, or None if it is a path.

    A URL that went through ``Path`` and lost a slash, ``s3:/bucket``, is recognised too, unless a
    file of that name exists.
    """
    text = "" if place is None else str(place)
    found = _SCHEME.match(text)
    if found is None or ("://" not in text and os.path.lexists(text)):
        return None
    return f"{found[1].lower()}://{text[found.end() :].rstrip('/')}"


def refuse_urls(command: str, *places: str | Path | None) -> None:
    """UsageError if one of the places is a URL, for a command that takes only local paths."""
    for place in places:
        if (url := find_url(place)) is not None:
            raise UsageError(
                f"`hierseg {command}` takes a local path, not a URL ({url}); give a path on this "
                "machine."
            )


class File(NamedTuple):
    """Size of a file at a URL in bytes, and the time of its last change in nanoseconds."""

    size: int
    modified: int


class Mirror:
    """A local folder that mirrors one at a URL. It can be pickled for other processes.

    Args:
        url: URL of the remote folder.
        folder: The local folder; ``list`` creates it.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self._sent: dict[str, tuple[int, int]] = {}
        self._watched: list[Path] = []
        self._told, self._cost = time.monotonic(), 0.0

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_sent": {}, "_watched": []}

    def name(self, path: Path) -> str:
        """The URL of the local folder, or of a file in it."""
        if path == self.folder:
            return self.url
        return f"{self.url}/{path.relative_to(self.folder).as_posix()}"

    def list(self, leave: str = "", only: str = "") -> int:
        """Create a placeholder for each remote file, and fetch the notes.

        Args:
            leave: URL of a folder that is left out; empty for none.
            only: The only file to list, relative to the URL; empty for all.

        Returns:
            The number of files.

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
        """Replace a placeholder by the file's content; UserError if it cannot be fetched."""
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
        """Replace a file's content by a placeholder again."""
        with suppress(OSError):  # keeping the content does no harm, it only takes space
            self._place(path, File(*_stamp(path)))

    def send(self, path: Path, keep: bool = False) -> None:
        """Upload a file, and remove it here.

        Args:
            path: The local file.
            keep: Keep the local file.

        Raises:
            UserError: The file cannot be uploaded.
        """
        stamp = _stamp(path)
        with _naming(self.name(path)):
            files, there = _open(self.name(path))
            files.put_file(str(path), there)
        name = path.relative_to(self.folder).as_posix()
        if keep:
            self._sent[name] = stamp
        else:  # another process could take a placeholder here for content
            self._sent.pop(name, None)
            path.unlink()

    def watch(self, *paths: Path) -> None:
        """Let ``tell`` upload these growing files from time to time."""
        self._watched += paths

    def tell(self) -> None:
        """Upload the watched files, if the last upload was long enough ago for what it costs."""
        now = time.monotonic()
        if not self._watched or now - self._told < max(SECONDS_BETWEEN, self._cost / SHARE):
            return
        for path in self._watched:
            if path.is_file():
                self.send(path, keep=True)
        self._told = time.monotonic()
        self._cost = self._told - now

    def sync(self) -> None:
        """Upload new and changed files, and remove remote files that were removed here.

        Raises:
            UserError: The URL cannot be written to.
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
        """Create a placeholder: a sparse file, which takes no space."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as handle:
            handle.truncate(file.size)
        os.utime(path, ns=(file.modified, file.modified))


class Mirrors(NamedTuple):
    """The mirrors of a run's sources and outputs; without any, all files are local.

    Attributes:
        sources: Mirrors of the sources, whose files are fetched when they are read.
        out: Mirror of the outputs, whose files are uploaded when they are written; None for local
            outputs.
    """

    sources: tuple[Mirror, ...] = ()
    out: Mirror | None = None

    def name(self, path: Path) -> str:
        """The name of a file that holds on every machine: its URL, or else its path."""
        mirror = self._find(path)
        return str(path) if mirror is None else mirror.name(path)

    def place(self, name: str) -> Path:
        """The local path of a file with such a name."""
        for mirror in self.sources:
            if name == mirror.url or name.startswith(f"{mirror.url}/"):
                return mirror.folder / name[len(mirror.url) :].lstrip("/")
        return Path(name)

    def rename(self, text: str) -> str:
        """A text with the URLs of files in place of their local paths."""
        for mirror in (*self.sources, *([] if self.out is None else [self.out])):
            text = text.replace(str(mirror.folder), mirror.url)
        return text

    @contextmanager
    def having(self, *paths: Path | None) -> Iterator[None]:
        """A context in which these files have their content; None is skipped.

        Raises:
            UserError: A file cannot be fetched.
        """
        with ExitStack() as stack:
            for path in paths:
                mirror = None if path is None else self._find(path)
                if mirror is not None and path is not None:
                    mirror.fetch(path)
                    stack.callback(mirror.release, path)
            yield

    def send(self, files: Iterable[str]) -> None:
        """Upload outputs, relative to their folder; UserError if they cannot be uploaded."""
        if self.out is not None:
            for file in files:
                self.out.send(self.out.folder / file)

    def tell(self) -> None:
        """Upload the run's journal from time to time; see ``Mirror.tell``."""
        if self.out is not None:
            self.out.tell()

    def _find(self, path: Path) -> Mirror | None:
        known = (*self.sources, *([] if self.out is None else [self.out]))
        return next((one for one in known if path.is_relative_to(one.folder)), None)


HERE = Mirrors()
"""No mirrors: all files are local."""


class Staging:
    """Makes mirrors of URLs in a temporary folder. A context; on leaving it uploads outputs."""

    def __init__(self) -> None:
        self.sources: list[Mirror] = []
        self.out: Mirror | None = None
        self._folder: TemporaryDirectory[str] | None = None

    @property
    def mirrors(self) -> Mirrors:
        """The mirrors made so far."""
        return Mirrors(tuple(self.sources), self.out)

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            # An error that ends the run may be that the URL cannot be reached: do not raise twice.
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
        """The local path of a source; a source that is not a URL is returned as it is.

        Args:
            source: A folder, file or glob.

        Raises:
            UsageError: The URL is that of the outputs, or nothing is there.
            UserError: The URL cannot be read.
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
            raise UsageError(f"{url} is also the folder of the outputs; choose another --out.")
        mirror = self._make(base)
        self.sources.append(mirror)
        if mirror.list(leave, only) == 0:
            raise UsageError(f"there is nothing at {base}; check the URL.")
        if only:
            return str(mirror.folder / only)
        folder = glob.escape(str(mirror.folder)) if glob.has_magic(pattern) else mirror.folder
        return f"{folder}/{pattern}" if pattern else str(mirror.folder)

    def bring_root(self, root: Path | None) -> Path | None:
        """The local path of a data set's folder; errors as of ``bring_source``."""
        url = find_url(root)
        return root if url is None else Path(self.bring_source(url))

    def bring_out(self, out: Path) -> Path:
        """The local path of the outputs' folder, with placeholders for files that exist remotely.

        Raises:
            UserError: The URL cannot be read.
        """
        url = find_url(out)
        if url is None:
            return out
        self.out = self._make(url)
        try:
            self.out.list()
        except _MissingError:  # uploading a file creates its folder, but not its bucket
            if url.partition("://")[0] in _BUCKETS:
                raise
        self.out.folder.mkdir(parents=True, exist_ok=True)
        return self.out.folder

    def _make(self, url: str) -> Mirror:
        if Launch.find().processes > 1:
            raise UsageError(
                f"{url}: only a single process can read and write URLs; leave out torchrun."
            )
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="hierseg-urls-")
        number = len(self.sources) + (self.out is not None)
        scheme, _, rest = url.partition("://")
        return Mirror(url, Path(self._folder.name).resolve() / f"{number}-{scheme}" / rest)


class _MissingError(UserError):
    """There is nothing at a URL."""


@contextmanager
def _naming(url: str) -> Iterator[None]:
    """Turn whatever a storage of fsspec raises into a UserError that names the URL."""
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
            f"{scheme}:// needs a package that is not installed ({_say(error)}): {cure}."
        ) from error
    except PermissionError as error:
        raise UserError(
            f"access to {url} is refused ({_say(error)}); check the credentials, and what they "
            "allow."
        ) from error
    except Exception as error:  # each storage raises its own kinds
        raise UserError(
            f"{url} cannot be reached ({_say(error)}); check the URL and the network."
        ) from error


def _say(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")[:200]


@functools.cache
def _open_storage(scheme: str) -> Any:
    import fsspec

    if scheme not in fsspec.available_protocols():
        raise UsageError(f"{scheme}:// is not a known kind of URL; see fsspec's list.")
    return fsspec


def _open(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it."""
    fsspec = _open_storage(url.partition("://")[0])
    files, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    return files, str(path)


def _describe(info: dict[str, Any]) -> File:
    """Size and time of a file, as far as its storage states them; else 0."""
    found = next((info[key] for key in _TIMES if info.get(key) is not None), 0)
    if isinstance(found, datetime):
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    try:
        # To microseconds: listings and single files may round differently.
        modified = round(float(found) * 1e6) * 1000
    except (TypeError, ValueError):
        modified = 0
    return File(int(info.get("size") or 0), max(0, modified))


_TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")


def _is_plain(name: str) -> bool:
    """Whether a remote name can be the name of a local file."""
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
    """Skip a folder that cannot be listed, since it was removed meanwhile."""


__all__: Sequence[str] = ("HERE", "Mirror", "Mirrors", "Staging", "find_url", "refuse_urls")
