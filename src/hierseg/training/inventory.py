"""The inventory of a run's files, by which changed files are noticed."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hierseg.assembly import Datasets
from hierseg.data import SegmentationDataset, get_crc, get_status, open_dataset_file
from hierseg.errors import UserError, reason_of
from hierseg.files import saving

COLUMNS = ("source", "sample", "place", "size", "modified", "checksum")
_BLOCK = 1 << 20


class FileEntry(NamedTuple):
    """A file of a sample.

    Attributes:
        source: ``train``, ``val``, ``extra N`` or ``also``.
        sample: The sample's name.
        place: Its index among the sample's files; the image is 0.
        size: Size in bytes.
        modified: Time of change in nanoseconds.
        checksum: Kind and checksum of its content; empty if it was not read.
        path: The file's present path, which may differ when the run is resumed.
    """

    source: str
    sample: str
    place: int
    size: int
    modified: int
    checksum: str
    path: Path = Path()

    @property
    def key(self) -> tuple[str, str, int]:
        """Source, sample and place: its identity, independent of the path."""
        return self.source, self.sample, self.place


def name_sources(data: Datasets) -> dict[str, SegmentationDataset]:
    """The sources of a run by name."""
    sources = {"train": data.train, "val": data.val}
    sources |= {f"extra {place}": source for place, source in enumerate(data.extra)}
    return sources if data.also is None else sources | {"also": data.also}


def list_entries(data: Datasets, verify: bool = False) -> list[FileEntry]:
    """All files of all sources; with ``verify`` they are read for their checksums.

    Raises:
        UserError: A file is gone or cannot be read.
    """
    entries = []
    for name, source in name_sources(data).items():
        for index, sample in enumerate(source.samples):
            for place, path in enumerate(source.list_files(index)):
                try:
                    size, modified = get_status(path)[:2]
                except OSError as error:
                    raise UserError(f"'{path}' cannot be read: {reason_of(error)}.") from error
                crc = get_crc(path)
                checksum = "" if crc is None else f"crc32:{crc:08x}"
                entry = FileEntry(name, sample.name, place, size, modified, checksum, path)
                entries.append(_with_checksum(entry) if verify else entry)
    return entries


def describe_entries(entries: Sequence[FileEntry]) -> dict[str, Any]:
    """Number of files, and a digest of their sizes and times."""
    digest = hashlib.sha256()
    for entry in entries:
        line = "\0".join(map(str, (*entry.key, entry.size, entry.modified)))
        digest.update(f"{line}\n".encode(errors="surrogateescape"))
    return {"count": len(entries), "digest": digest.hexdigest()[:16]}


def write_entries(path: Path, entries: Sequence[FileEntry]) -> None:
    """Write the inventory as a csv file, whole or not at all."""
    with (
        saving(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(entry[: len(COLUMNS)] for entry in entries)


def read_entries(path: Path) -> list[FileEntry] | None:
    """Read a file of ``write_entries``; None if it is damaged."""
    try:
        if not path.is_file():
            return None
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        if tuple(header) != COLUMNS:
            return None
        return [
            FileEntry(source, sample, int(place), int(size), int(modified), checksum)
            for source, sample, place, size, modified, checksum in rows
        ]
    except (OSError, ValueError, csv.Error):
        return None


def require_same_entries(
    described: Mapping[str, Any],
    path: Path,
    now: Sequence[FileEntry],
    verify: bool,
    say: Callable[[str], object],
) -> None:
    """UserError for a file that has changed since the run began.

    If all files have other times but the same sizes, as in a copy of the data, only a line says so.

    Args:
        described: The result of ``describe_entries`` when the run began.
        path: The file that ``write_entries`` wrote then.
        now: The present files, without checksums.
        verify: Read all files that have a checksum, not only those with another time.
        say: Called with a line.
    """
    if describe_entries(now) == described and not verify:
        return
    before = read_entries(path)
    if before is None or describe_entries(before) != described:
        if describe_entries(now) == described:
            return
        raise UserError(
            f"files of the data have changed since the run began, and {path}, which lists them, "
            "cannot be read; restore the files as they were, or start anew with another "
            "--runtime.out."
        )
    known = {entry.key: entry for entry in before}
    for source, sample, _ in sorted(known.keys() - {entry.key for entry in now}):
        raise UserError(
            f"a file of sample '{sample}' of {source} is gone since the run began; restore it, or "
            "start anew with another --runtime.out."
        )
    for entry in now:
        if entry.key not in known or entry.size != known[entry.key].size:
            raise _refusal(entry, "its size")
    moved = [entry for entry in now if entry.modified != known[entry.key].modified]
    unread = _find_changed(now if verify else moved, known)
    if unread and len(moved) < len(now):
        raise _refusal(unread[0], "its time of change")
    if unread:
        say(
            f"all {len(now)} files of the data have other times of change than when the run began, "
            "and the same sizes, as copies have; --data.verify from a run's start on compares "
            "contents."
        )
    elif verify and not all(known[entry.key].checksum for entry in now):
        say("the run began without --data.verify: sizes and times of the files are the same.")


def _find_changed(
    entries: Sequence[FileEntry], known: Mapping[tuple[str, str, int], FileEntry]
) -> list[FileEntry]:
    """The files with another time of change and no checksum to compare; UserError if a checksum
    differs.
    """
    unread = []
    for entry in entries:
        before = known[entry.key]
        if not before.checksum:
            unread += [entry] if entry.modified != before.modified else []
        elif _with_checksum(entry).checksum != before.checksum:
            raise _refusal(entry, "its content")
    return unread


def _refusal(entry: FileEntry, what: str) -> UserError:
    return UserError(
        f"'{entry.path}' has changed since the run began ({what} differs); restore the file as it "
        "was, or start anew with another --runtime.out."
    )


def _with_checksum(entry: FileEntry) -> FileEntry:
    if entry.checksum:  # of a member of an archive, which states it
        return entry
    digest = hashlib.sha256()
    try:
        with open_dataset_file(entry.path) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise UserError(f"'{entry.path}' cannot be read: {reason_of(error)}.") from error
    return entry._replace(checksum=f"sha256:{digest.hexdigest()}")
