"""A file of records, one per line, that grows as items are done, for autolabel and propagate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, Generic, TypeVar

from hierseg.files import write_text

Header = TypeVar("Header")
Record = TypeVar("Record")


class RecordFile(Generic[Header, Record]):
    """A file with a header, the records of items that are done, and the skipped items.

    Args:
        path: The file.
        work: Folder of the temporary file, on the same disk.
        format_header: Formats the header as a line.
        format_record: Formats a record as a line.
        format_skipped: Formats the key of a skipped item and the reason as a line.

    Attributes:
        records: Key -> record, for items that are done.
        skipped: Key -> reason, for items that were skipped.
    """

    def __init__(
        self,
        path: Path,
        work: Path,
        format_header: Callable[[Header], str],
        format_record: Callable[[Record], str],
        format_skipped: Callable[[str, str], str],
    ) -> None:
        self._path, self._work = path, work
        self._format_header, self._format_record = format_header, format_record
        self._format_skipped = format_skipped
        self._file: IO[str] | None = None
        self.records: dict[str, Record] = {}
        self.skipped: dict[str, str] = {}

    def begin(self, header: Header) -> None:
        """Write the header and the records of earlier runs; later lines are appended."""
        self.write(header)
        self._file = self._path.open("a", encoding="utf-8", newline="\n")

    def note(self, key: str, record: Record) -> None:
        """Record an item as done."""
        self.records[key] = record
        self._append(self._format_record(record))

    def skip(self, key: str, reason: str) -> None:
        """Record an item as skipped."""
        self.skipped[key] = reason
        self._append(self._format_skipped(key, reason))

    def _append(self, line: str) -> None:
        """Append a line, and flush it, so that a killed run keeps it."""
        assert self._file is not None
        self._file.write(line)
        self._file.flush()

    def write(self, header: Header) -> None:
        """Write the whole file again."""
        lines = [self._format_header(header), *map(self._format_record, self.records.values())]
        lines += [self._format_skipped(key, reason) for key, reason in self.skipped.items()]
        write_text(self._path, "".join(lines), self._work)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
