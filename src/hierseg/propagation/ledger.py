"""The record of propagated frames, written as each labelled frame is done."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hierseg.data import (
    PROPAGATION,
    PropagatedHeader,
    PropagatedRecord,
    PropagatedRecords,
    format_propagation,
    format_propagation_header,
    format_skipped,
    read_propagation,
)
from hierseg.errors import UsageError, UserError
from hierseg.files import LOCK, FolderLock
from hierseg.jobs import RecordFile

_WORK = ".propagation.work"


class PropagationLedger(RecordFile[PropagatedHeader, PropagatedRecord]):
    """The records of a folder of propagated frames; it locks the folder for this process.

    Args:
        out: The folder: empty, or with frames of the same settings.
        header: The settings of the frames.
        overwrite: Start again, even in a folder of other settings; its recorded files are removed.

    Attributes:
        records: Key -> record of a finished labelled frame.
        skipped: Key -> the reason why it could not be done.
        work: Folder of unfinished files.

    Raises:
        UsageError: The folder holds other files, or frames of other settings.
        UserError: Another process works in the folder, or its record is damaged.
    """

    def __init__(self, out: Path, header: PropagatedHeader, overwrite: bool = False) -> None:
        self.out, self.header, self.overwrite = out, header, overwrite
        self.path, self.work = out / PROPAGATION, out / _WORK
        super().__init__(
            self.path, self.work, format_propagation_header, format_propagation, format_skipped
        )
        self._lock = FolderLock(out)

    def __enter__(self) -> Self:
        self._lock.__enter__()
        try:
            self._resume()
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        return self

    def _resume(self) -> None:
        earlier = self._read()
        if earlier is not None and not self.overwrite:
            require_same(earlier, self.header)
            self.records = earlier.records
        elif earlier is not None:
            for record in earlier.records.values():
                for file in list_record_files(record):
                    (self.out / file).unlink(missing_ok=True)
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()
        self.begin(self.header)

    def _read(self) -> PropagatedRecords | None:
        if not self.path.is_file():
            others = [path for path in self.out.iterdir() if path.name not in (LOCK, _WORK)]
            if others and not self.overwrite:
                raise UsageError(
                    f"'{self.out}' holds something else than propagated frames; name an empty "
                    "folder with --out, or add --overwrite."
                )
            return None
        try:
            return read_propagation(self.path)
        except UserError:
            if self.overwrite:
                return None
            raise

    def add(self, record: PropagatedRecord) -> None:
        """Record a finished labelled frame."""
        self.note(record.key, record)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        shutil.rmtree(self.work, ignore_errors=True)
        self._lock.__exit__(kind, error, trace)


def list_record_files(record: PropagatedRecord) -> list[str]:
    """All files of a labelled frame and of the frames propagated from it."""
    return [
        file
        for frame in record.frames
        for file in (*frame.files, frame.confidence, frame.label, frame.image)
    ]


def require_same(earlier: PropagatedRecords, header: PropagatedHeader) -> None:
    """UsageError if the frames were made with other settings."""
    was: Mapping[str, Any] = {
        **earlier.header.settings,
        "classes": earlier.header.label_space.names,
    }
    now: Mapping[str, Any] = {**header.settings, "classes": header.label_space.names}
    differing = [key for key in {**was, **now} if was.get(key) != _plain(now.get(key))]
    if differing:
        raise UsageError(
            f"'{earlier.path.parent}' holds frames that were made with other "
            f"{', '.join(differing)}; choose another --out, or add --overwrite to start again."
        )


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
