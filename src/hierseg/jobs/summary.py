"""What a folder run has done so far, in ``summary.json``: a later run goes on from it.

Until the run ends, what is newer than the summary is in its journal.
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
"""A line an image as it is done, so that a killed run loses none."""
PARTS = ".hierseg-journal.*.jsonl"
"""Those of further processes, by their number, where several share the images."""
LATER = frozenset({"label_space"})
"""Settings that older summaries do not name, which say nothing against going on."""


class Journal:
    """Lines that are there whatever comes after them; there while a run is not at its end.

    To write all of ``summary.json`` for every image, or every few seconds, costs more the more
    images there are. A line costs the same for each.

    Args:
        out: Folder of the outputs.
        settings: What the outputs depend on.
        anew: Begin it; else an earlier one is gone on with.
        rank: Of several processes, whose it is.

    Raises:
        OSError: It cannot be written.
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
        """Add a line; called by any thread."""
        line = json.dumps(content, allow_nan=False).encode() + b"\n"
        with self._guard:
            assert self._file is not None
            self._file.write(line)
            self._file.flush()

    def remove(self) -> None:
        """Remove it, once the summary says all that it says."""
        self.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Leave it for the next run."""
        if self._file is not None:
            self._file.close()
            self._file = None


class Share(NamedTuple):
    """What one of several processes has done of a run: of ``Summary`` what bears these names."""

    records: dict[str, ImageRecord]
    skipped: dict[str, str]
    others: set[str]


@dataclass
class Summary:
    """The state of a folder run.

    Attributes:
        settings: What the outputs depend on but for the images: a run with others does not go on.
        about: What else is worth knowing of the run.
        records: Images done, by source.
        skipped: Source -> why it could not be segmented.
        complete: Whether the last run came to its end.
        others: Files of the run that no record names, such as those of an image that was not
            finished.
        taken_up: Whether an earlier run's is gone on with.
        is_partial: Whether that run was killed and was of a version that kept no journal, so that
            it has written more than it says.
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
        """Take up an earlier run's summary in ``out``, and its journal where it was killed, or
        begin one.

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
            if newer != there:  # the journal of a run that began anew
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
        """All files that are known to be the run's own."""
        return self.others.union(*(record.files for record in self.records.values()))

    def begin(self, out: Path) -> None:
        """Open the journal; what an earlier run has left that is not taken up counts no more.

        Raises:
            OSError: It cannot be written.
        """
        parts = list(out.glob(PARTS))
        if self.taken_up and parts:
            self.write(out)  # which says what they say
        for part in parts:
            part.unlink(missing_ok=True)
        self._journal = Journal(out, self.settings, anew=not self.taken_up)
        if not self.taken_up:
            (out / FILE).unlink(missing_ok=True)

    @classmethod
    def begin_share(cls, out: Path, settings: Mapping[str, Any], rank: int) -> Summary:
        """That of a further process, which shares the images of a run with the first: nothing but
        what it does itself, with a journal of its own.
        """
        share = cls(dict(settings))
        share._journal = Journal(out, settings, anew=True, rank=rank)
        return share

    def end_share(self) -> None:
        """Leave the journal until the first process says all that it says."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def share(self) -> Share:
        """What this process has done."""
        return Share(self.records, self.skipped, self.others)

    def take_over(self, shares: Iterable[Share], out: Path) -> None:
        """Take up what other processes have done, and write it down: they need no journals."""
        for share in shares:
            self.records |= share.records
            self.skipped |= share.skipped
            self.others |= share.others
        for source in self.skipped.keys() & self.records.keys():
            del self.records[source]  # done by an earlier run, and not to be done again
        self.write(out)
        for part in out.glob(PARTS):
            part.unlink(missing_ok=True)

    def claim(self, files: Sequence[str], source: str = "") -> None:
        """Have files down as the run's own, before they are written; called by any thread.

        Args:
            files: Relative to the outputs' folder; some may not be written after all.
            source: Of the image that they are of, whose record will say which.
        """
        if not files:
            return
        self._claim(files, source)
        if self._journal is not None:
            self._journal.append({"files": list(files), "source": source})

    def give_back(self, source: str) -> None:
        """None of the files were written that were claimed of an image."""
        self.others.difference_update(self._begun.pop(source, ()))

    def sort_skipped(self, sources: Iterable[str]) -> None:
        """Have those that were skipped in an order."""
        skipped = self.skipped
        self.skipped = {source: skipped[source] for source in sources if source in skipped}

    def add(self, record: ImageRecord) -> None:
        """An image is done."""
        self._add(record)
        if self._journal is not None:
            self._journal.append({"image": record.to_dict()})

    def skip(self, key: str, reason: str) -> None:
        """An image could not be segmented; ``key`` is its source."""
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
        if not record.unwritten:  # then there are files of it that the record does not name
            self.others.difference_update(claimed)

    def _take(self, line: Mapping[str, Any]) -> None:
        """Take up a line of the journal; one that says nothing that can be used is as if not
        there.
        """
        try:
            if "image" in line:
                self._add(ImageRecord.from_dict(line["image"]))
            else:
                self._claim(filter(is_inside, line["files"]), str(line["source"]))
        except (ValueError, LookupError, TypeError, AttributeError):
            return

    def finish(self, out: Path) -> None:
        """Write ``summary.json``, by which the journal is done with."""
        self.write(out)
        if self._journal is not None:
            self._journal.remove()
            self._journal = None

    def write(self, out: Path) -> Path:
        """Write ``summary.json``, an image a line."""
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
        # One by one: indented, or copied in depth, thousands of them take seconds.
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
    """The files, relative to the outputs' folder, that are there, are not the run's own, and may be
    replaced none the less.

    Raises:
        UsageError: One may not: it is no earlier run's, or an image that is to be segmented.
    """
    own = summary.files
    if summary.taken_up:  # whose page, legend and summary are written anew each time
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
    """The settings of each process of a run that came to no end, and the lines that are whole; none
    where there are no such journals.
    """
    found: list[tuple[dict[str, Any], Iterator[dict[str, Any]]]] = []
    for path in (out / JOURNAL, *sorted(out.glob(PARTS))):
        lines = (line for line in read_lines(path) if isinstance(line, dict))
        settings = next(lines, {}).get("settings")
        if isinstance(settings, dict):
            found.append((settings, lines))
    return found


def _read(path: Path) -> tuple[dict[str, Any], Summary]:
    """The settings of a summary, and what it says of images; UserError where it is none."""
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
