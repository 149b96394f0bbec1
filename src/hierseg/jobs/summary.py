"""The summary of a run, ``summary.json``, from which a later run continues.

While the run is in progress, its journal holds what is newer than the summary.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

from hierseg.errors import UsageError, UserError
from hierseg.files import open_to_append, read_text_file, write_text
from hierseg.jobs.labelling import list_shared
from hierseg.jobs.writers import LEGEND
from hierseg.ownership import (
    LARGEST_RECORD,
    find_foreign,
    is_inside,
    read_lines,
    refuse_foreign,
    with_header,
)
from hierseg.pages import FILE as PAGE
from hierseg.pages import ImageRecord
from hierseg.version import __version__

FORMAT = 1
FILE = "summary.json"
JOURNAL = ".hierseg-journal.jsonl"
"""The journal: a line for each image when it is done, so that a killed run loses none."""
PARTS = ".hierseg-journal.*.jsonl"
"""Journals of further processes, by their rank, if several share the images."""
LATER = frozenset({"label_space"})
"""Settings that summaries of older versions lack; their absence does not prevent continuing."""


class Journal:
    """A file to which lines are appended during a run, so that a killed run loses nothing.

    Writing the whole summary for every image would take longer and longer as images are added; a
    line takes the same time for each.

    Args:
        out: Folder of the outputs.
        settings: The settings on which the outputs depend.
        anew: Begin a new journal; else an earlier one is continued.
        rank: Number of the process whose journal it is, from 0.

    Raises:
        OSError: The journal cannot be written.
    """

    def __init__(self, out: Path, settings: Mapping[str, Any], anew: bool, rank: int = 0) -> None:
        self.path = out / (PARTS.replace("*", str(rank)) if rank else JOURNAL)
        self._guard = threading.Lock()
        if anew:
            self.path.unlink(missing_ok=True)
        self._file: IO[bytes] | None = open_to_append(self.path)
        if self._file.tell() == 0:
            self.append(with_header({"settings": settings}, "predict"))

    def append(self, content: Mapping[str, Any]) -> None:
        """Append a line; any thread may call it."""
        line = json.dumps(content, allow_nan=False).encode() + b"\n"
        with self._guard:
            assert self._file is not None
            self._file.write(line)
            self._file.flush()

    def remove(self) -> None:
        """Remove the journal, once the summary holds its content."""
        self.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the journal, and leave it for the next run."""
        if self._file is not None:
            self._file.close()
            self._file = None


class Share(NamedTuple):
    """What one of several processes has done; attributes as of ``Summary``."""

    records: dict[str, ImageRecord]
    skipped: dict[str, str]
    others: set[str]


@dataclass
class Summary:
    """The state of a run.

    Attributes:
        settings: The settings on which the outputs depend, besides the images; a run with other
            settings cannot continue.
        about: Further facts about the run.
        records: Source -> record, for images that are done.
        skipped: Source -> reason, for images that could not be segmented.
        complete: Whether the last run reached its end.
        others: Files of the run that are in no record, such as those of an unfinished image.
        taken_up: Whether this run continues an earlier one.
        is_partial: Whether the earlier run was killed, and by a version without a journal, so that
            it may have written files that its summary does not name.
    """

    settings: dict[str, Any]
    about: dict[str, Any] = field(default_factory=dict)
    records: dict[str, ImageRecord] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    complete: bool = False
    others: set[str] = field(default_factory=set)
    taken_up: bool = False
    is_partial: bool = False
    _begun: dict[str, list[str]] = field(default_factory=dict, repr=False, compare=False)
    _journal: Journal | None = field(default=None, repr=False, compare=False)

    @classmethod
    def open(cls, out: Path, settings: Mapping[str, Any], overwrite: bool = False) -> Summary:
        """Read an earlier run's summary in ``out``, and its journal if it was killed; begin a new
        summary if there is none.

        Args:
            out: Folder of the outputs.
            settings: The settings of this run.
            overwrite: Ignore an earlier run.

        Raises:
            UsageError: The outputs there were made with other settings.
            UserError: The summary there is damaged.
        """
        wanted = json.loads(json.dumps(settings))
        journals = [] if overwrite else _read_journals(out)
        if overwrite or not ((out / FILE).exists() or journals):
            return cls(wanted)
        there, found = _read(out / FILE) if (out / FILE).exists() else ({}, cls(wanted))
        for newer, lines in journals:
            if newer != there:  # of a later run that began anew
                there, found = newer, cls(wanted)
            for line in lines:
                found._take(line)
        for key in LATER & wanted.keys():
            there.setdefault(key, wanted[key])
        if there != wanted:
            differing = [
                f"{key} ({_shown(there.get(key))} then, {_shown(wanted.get(key))} now)"
                for key in sorted({*there, *wanted})
                if there.get(key) != wanted.get(key)
            ]
            raise UsageError(
                f"{out} holds predictions made with other settings: {'; '.join(differing)}; "
                "add --overwrite, or choose another --out."
            )
        found.settings, found.taken_up = wanted, True
        return found

    @property
    def files(self) -> set[str]:
        """All files that the run is known to have written."""
        return self.others.union(*(record.files for record in self.records.values()))

    def begin(self, out: Path) -> None:
        """Open the journal. The summary of an earlier run that is not continued is removed.

        Raises:
            OSError: The journal cannot be written.
        """
        parts = list(out.glob(PARTS))
        if self.taken_up and parts:
            self.write(out)  # with the content of these journals
        for part in parts:
            part.unlink(missing_ok=True)
        self._journal = Journal(out, self.settings, anew=not self.taken_up)
        if not self.taken_up:
            (out / FILE).unlink(missing_ok=True)

    @classmethod
    def begin_share(cls, out: Path, settings: Mapping[str, Any], rank: int) -> Summary:
        """A summary for a further process of a run, which holds only its own share, with a journal
        of its own.
        """
        share = cls(dict(settings))
        share._journal = Journal(out, settings, anew=True, rank=rank)
        return share

    def end_share(self) -> None:
        """Close the journal; the first process removes it when its summary holds the content."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def share(self) -> Share:
        """The share of this process."""
        return Share(self.records, self.skipped, self.others)

    def take_over(self, shares: Iterable[Share], out: Path) -> None:
        """Add the shares of other processes, write the summary, and remove their journals."""
        for share in shares:
            self.records |= share.records
            self.skipped |= share.skipped
            self.others |= share.others
        for source in self.skipped.keys() & self.records.keys():
            del self.records[source]  # done by an earlier run, but skipped now
        self.write(out)
        for part in out.glob(PARTS):
            part.unlink(missing_ok=True)

    def claim(self, files: Sequence[str], source: str = "") -> None:
        """Record files as the run's own, before they are written; any thread may call it.

        Args:
            files: Files, relative to the outputs' folder; some may not be written after all.
            source: Source of their image, whose record will name those that were; empty for none.
        """
        if not files:
            return
        self._claim(files, source)
        if self._journal is not None:
            self._journal.append({"files": list(files), "source": source})

    def give_back(self, source: str) -> None:
        """Undo ``claim`` for an image, since none of its files were written."""
        self.others.difference_update(self._begun.pop(source, ()))

    def sort_skipped(self, sources: Iterable[str]) -> None:
        """Sort the skipped images in the order of ``sources``."""
        skipped = self.skipped
        self.skipped = {source: skipped[source] for source in sources if source in skipped}

    def add(self, record: ImageRecord) -> None:
        """Record an image as done."""
        self._add(record)
        if self._journal is not None:
            self._journal.append({"image": record.to_dict()})

    def skip(self, key: str, reason: str) -> None:
        """Record an image as skipped; ``key`` is its source."""
        self.records.pop(key, None)
        self.skipped[key] = reason

    def _claim(self, files: Iterable[str], source: str) -> None:
        new = [file for file in files if file not in self.others]
        self.others.update(new)
        if source:
            self._begun[source] = new

    def _add(self, record: ImageRecord) -> None:
        self.records[record.source] = record
        self.skipped.pop(record.source, None)
        claimed = self._begun.pop(record.source, [])
        if not record.unwritten:  # else files may exist that the record does not name
            self.others.difference_update(claimed)

    def _take(self, line: Mapping[str, Any]) -> None:
        """Apply a line of the journal; a damaged line is ignored."""
        try:
            if "image" in line:
                self._add(ImageRecord.from_dict(line["image"]))
            else:
                self._claim(filter(is_inside, line["files"]), str(line["source"]))
        except (ValueError, LookupError, TypeError, AttributeError):
            return

    def finish(self, out: Path) -> None:
        """Write ``summary.json``, and remove the journal."""
        self.write(out)
        if self._journal is not None:
            self._journal.remove()
            self._journal = None

    def write(self, out: Path) -> Path:
        """Write ``summary.json``, with one line per image."""
        named = {file for record in self.records.values() for file in record.files}
        content = {
            "format": FORMAT,
            "hierseg": __version__,
            "complete": self.complete,
            "about": self.about,
            "settings": self.settings,
            "images_done": len(self.records),
            "images_skipped": len(self.skipped),
            "skipped": [{"source": source, "reason": why} for source, why in self.skipped.items()],
            "other_files": sorted(self.others - named),
        }
        head = json.dumps(content, indent=1, allow_nan=False).removesuffix("\n}")
        # Record by record, since indenting or deep copying thousands of them takes seconds.
        lines = (json.dumps(record.to_dict(), allow_nan=False) for record in self.records.values())
        images = ",\n  ".join(lines)
        return write_text(out / FILE, f'{head},\n "images": [\n  {images}\n ]\n}}\n')


def claim_files(
    out: Path,
    files: Sequence[str],
    summary: Summary,
    overwrite: bool,
    images: Sequence[Path] = (),
) -> list[str]:
    """The existing files that are not the run's own but may be replaced.

    Args:
        out: Folder of the outputs.
        files: Files that the run may write, relative to ``out``.
        summary: The summary of the run.
        overwrite: Whether files that no run has written may be replaced.
        images: The images to segment, which may never be replaced.

    Raises:
        UsageError: A file may not be replaced: no earlier run wrote it, or it is one of the images.
    """
    own = summary.files
    if summary.taken_up:  # page, legend and the like are written again by each run
        own |= {LEGEND, PAGE, *list_shared(summary.settings.get("save", ()))}
    foreign = find_foreign(out, files, own.__contains__)
    sources = {os.path.realpath(image) for image in images} if foreign else set()
    for file in foreign:
        if os.path.realpath(out / file) in sources:
            raise UsageError(
                f"'{out / file}' is an image that is to be segmented, and would be replaced by an "
                "output; choose another --out."
            )
    if not (overwrite or summary.is_partial):
        refuse_foreign(out, foreign, "predict")
    return foreign


def _read_journals(out: Path) -> list[tuple[dict[str, Any], Iterator[dict[str, Any]]]]:
    """The journals of a run that did not reach its end, one for each process: its settings and its
    undamaged lines.
    """
    found: list[tuple[dict[str, Any], Iterator[dict[str, Any]]]] = []
    for path in (out / JOURNAL, *sorted(out.glob(PARTS))):
        lines = (line for line in read_lines(path) if isinstance(line, dict))
        settings = next(lines, {}).get("settings")
        if isinstance(settings, dict):
            found.append((settings, lines))
    return found


def _read(path: Path) -> tuple[dict[str, Any], Summary]:
    """The settings of a summary file, and its content; UserError if it is not a valid summary."""
    try:
        content = json.loads(read_text_file(path, "summary", LARGEST_RECORD))
        settings = dict(content["settings"])
        records = [ImageRecord.from_dict(image) for image in content["images"]]
        found = Summary(settings, records={record.source: record for record in records})
        found.others = set(filter(is_inside, content.get("other_files", ())))
        found.is_partial = "other_files" not in content and content.get("complete") is False
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, UserError) as error:
        raise UserError(
            f"{path} is not a summary that hierseg wrote; add --overwrite, or choose another --out."
        ) from error
    return settings, found


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(f"{item:g}" if isinstance(item, float) else str(item) for item in value)
    return "none" if value is None else str(value)
