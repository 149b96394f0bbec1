"""A file of records, one a line, that grows as items are done: of autolabel and propagate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, Generic, TypeVar

from hierseg.files import write_text

Header = TypeVar("Header")
Record = TypeVar("Record")


class RecordFile(Generic[Header, Record]):
    """A header, the records of what is done, and what was skipped and why.

    Args:
        path: The file.
        work: Folder of the passing file, on the same disk.
        format_header: The header's line.
        format_record: A record's line.
        format_skipped: The line of a key and a reason.

    Attributes:
        records: What is done, by key.
        skipped: Key -> why it could not be done.
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
        """Write the header and what is done already; lines are appended from here on."""
        self.write(header)
        self._file = self._path.open("a", encoding="utf-8", newline="\n")

    def note(self, key: str, record: Record) -> None:
        """An item is done."""
        self.records[key] = record
        self._append(self._format_record(record))

    def skip(self, key: str, reason: str) -> None:
        """An item could not be done."""
        self.skipped[key] = reason
        self._append(self._format_skipped(key, reason))

    def _append(self, line: str) -> None:
        """Add a line, so that it is there whatever comes."""
        assert self._file is not None
        self._file.write(line)
        self._file.flush()

    def write(self, header: Header) -> None:
        """Write the whole file anew."""
        lines = [self._format_header(header), *map(self._format_record, self.records.values())]
        lines += [self._format_skipped(key, reason) for key, reason in self.skipped.items()]
        write_text(self._path, "".join(lines), self._work)

    def close(self) -> None:
        """Append no more."""
        if self._file is not None:
            self._file.close()
