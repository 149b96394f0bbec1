"""Which part of the images a process labels, and what it writes down as they are done.

Processes that work at once on one folder never write the same file: each has records, a summary and
a working folder of its own, and no label map is of two parts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from hierseg.data import (
    ENDING,
    AutoHeader,
    AutoRecord,
    format_header,
    format_record,
    format_skipped,
)
from hierseg.errors import UsageError, UserError
from hierseg.files import LOCK, FolderLock
from hierseg.jobs import RecordFile
from hierseg.ownership import FileRecord

COMMAND = "autolabel"
Item = TypeVar("Item")


class Shard(NamedTuple):
    """Part ``number`` (from 1) of ``parts`` equal parts of the images."""

    number: int = 1
    parts: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """``"2/3"``, the second of three parts; UsageError for what is none."""
        matched = re.fullmatch(r"(\d+)/(\d+)", text)
        shard = cls(*map(int, matched.groups())) if matched else cls(0, 0)
        if not 1 <= shard.number <= shard.parts:
            raise UsageError(f"--shard {text} is no part; give i/n with i from 1 to n, as 1/2.")
        return shard

    @property
    def is_whole(self) -> bool:
        """Whether it is all there is."""
        return self.parts == 1

    def choose(self, items: Sequence[Item]) -> list[Item]:
        """Every so many items, so that neighbours go to different parts."""
        return list(items[self.number - 1 :: self.parts])


@dataclass(frozen=True)
class Places:
    """Where a part of a split keeps what it says of its images.

    Attributes:
        out: Folder of all auto-labels.
        split: Name of the split.
        shard: The part.
    """

    out: Path
    split: str
    shard: Shard

    def _name(self, kind: str, ending: str) -> str:
        split = re.sub(r"[^\w.-]", "_", self.split).lstrip(".")
        part = "" if self.shard.is_whole else f".{self.shard.number}of{self.shard.parts}"
        return f"{split}{kind}{part}{ending}"

    @property
    def records(self) -> Path:
        """``SPLIT.jsonl`` or ``SPLIT.1of2.jsonl``: a line an image."""
        return self.out / self._name("", ENDING)

    @property
    def summary(self) -> Path:
        """``SPLIT_summary.json`` or ``SPLIT_summary.1of2.json``."""
        return self.out / self._name("_summary", ".json")

    @property
    def picture(self) -> Path:
        """``SPLIT_summary.png`` or ``SPLIT_summary.1of2.png``."""
        return self.out / self._name("_summary", ".png")

    @property
    def work(self) -> Path:
        """A hidden folder for files that are not whole yet, there while the part is worked on."""
        return self.out / f".{self._name('', '.work')}"

    def open_record(self) -> FileRecord:
        """The files that any part has begun to write, and the place for those of this one."""
        return FileRecord(self.out, COMMAND, self.records.stem)

    def require_apart(self) -> None:
        """UserError where a process works on images of this part too: the whole, or a part of
        another number of parts.
        """
        whole = Places(self.out, self.split, Shard())
        mine = re.compile(rf"{re.escape(whole.work.stem)}\.\d+of{self.shard.parts}")
        for work in sorted(self.out.glob(f"{whole.work.stem}*.work")):
            if work == self.work or (not self.shard.is_whole and mine.fullmatch(work.stem)):
                continue
            if work.stem != whole.work.stem and not re.search(r"\.\d+of\d+$", work.stem):
                continue  # of another split, whose name goes on
            try:
                with FolderLock(work):
                    pass
            except UserError as error:
                part = work.stem.removeprefix(f"{whole.work.stem}.").replace("of", "/")
                raise UserError(
                    f"another process labels the same images in '{self.out}' ("
                    f"{'all of them' if work == whole.work else f'part {part}'}); wait for it."
                ) from error


class Journal(RecordFile[AutoHeader, AutoRecord]):
    """The records of a part while it is worked on; none else may work on it meanwhile.

    Args:
        places: Of the part; its working folder is made, and emptied of what a killed run left.

    Attributes:
        records: What is done, by the image's path below the header's root.
        skipped: Such a path -> why it could not be done.

    Raises:
        UserError: Another process works on the part.
    """

    def __init__(self, places: Places) -> None:
        super().__init__(places.records, places.work, format_header, format_record, format_skipped)
        self.places = places
        self._lock = FolderLock(places.work, "--shard")
        try:
            self._lock.__enter__()
        except UserError as error:
            raise UserError(
                f"another process is labelling this part of '{places.out}'; {error}"
            ) from error
        for left in places.work.iterdir():
            if left.name != LOCK:
                left.unlink()

    def add(self, record: AutoRecord) -> None:
        """An image is labelled."""
        self.note(record.image, record)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        for left in self.places.work.iterdir():
            if left.name != LOCK:
                left.unlink()
        self._lock.__exit__(kind, error, trace)
        with suppress(OSError):  # another process may have come for it meanwhile
            self.places.work.rmdir()
