"""What a folder run has done so far, in ``summary.json``: a later run goes on from it."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hierseg import __version__
from hierseg.data.archive import get_status
from hierseg.errors import UsageError, UserError
from hierseg.inference.writers import write_json

FORMAT = 1
FILE = "summary.json"
LATER = frozenset({"label_space"})
"""Settings that older summaries do not name, which say nothing against going on."""


@dataclass(frozen=True)
class Panel:
    """A picture on the page.

    Attributes:
        kind: image, overlay, truth, scale, attention, confidence or errors.
        caption: What stands above it.
        file: Its path, relative to the page's folder.
    """

    kind: str
    caption: str
    file: str


@dataclass(frozen=True)
class ImageRecord:
    """One image that was segmented.

    Attributes:
        source: Absolute path of the image.
        bytes, modified: Its size and time of change (ns), by which a changed image is noticed.
        name: What its outputs' names begin with.
        height, width: Of the upright image.
        confidence: Mean confidence; None where it is not known.
        shares: Class name -> share of the pixels, the largest first.
        seconds: Time in the network.
        files: All outputs, relative to the outputs' folder.
        panels: The pictures on the page.
        facts: Further short statements that the page shows.
    """

    source: str
    bytes: int
    modified: int
    name: str
    height: int
    width: int
    confidence: float | None
    shares: dict[str, float]
    seconds: float
    files: list[str]
    panels: list[Panel]
    facts: list[str] = field(default_factory=list)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ImageRecord:
        """The inverse of ``dataclasses.asdict``; TypeError or ValueError for what is none."""
        record = cls(**{**data, "panels": [Panel(**panel) for panel in data["panels"]]})
        texts = [record.source, record.name, *record.files, *record.facts, *record.shares]
        texts += [text for panel in record.panels for text in dataclasses.astuple(panel)]
        numbers = [record.bytes, record.modified, record.height, record.width, record.seconds]
        numbers += [*record.shares.values(), record.confidence or 0]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("not text")
        if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
            raise TypeError("not a number")
        for path in [record.name, *record.files, *(panel.file for panel in record.panels)]:
            if Path(path).is_absolute() or ".." in Path(path).parts:
                raise ValueError("a place outside of the outputs")
        return record

    def is_current(self, out: Path) -> bool:
        """Whether the image is as it was, and its outputs are all there."""
        try:
            status = get_status(Path(self.source))
        except OSError:
            return False
        unchanged = tuple(status) == (self.bytes, self.modified)
        return unchanged and all((out / file).is_file() for file in self.files)


@dataclass
class Summary:
    """The state of a folder run.

    Attributes:
        settings: What the outputs depend on but for the images: a run with others does not go on.
        about: What else is worth knowing of the run.
        records: Images done, by source.
        skipped: Source -> why it could not be segmented.
        complete: Whether the last run came to its end.
    """

    settings: dict[str, Any]
    about: dict[str, Any] = field(default_factory=dict)
    records: dict[str, ImageRecord] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    complete: bool = False

    @classmethod
    def open(cls, out: Path, settings: Mapping[str, Any], overwrite: bool = False) -> Summary:
        """Take up an earlier run's summary in ``out``, or begin one.

        Raises:
            UsageError: The outputs there were made with other settings.
            UserError: The summary there is damaged.
        """
        path = out / FILE
        wanted = json.loads(json.dumps(settings))
        if overwrite or not path.exists():
            return cls(wanted)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            there = dict(content["settings"])
            records = [ImageRecord.from_dict(image) for image in content["images"]]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(
                f"{path} is not a summary that hierseg wrote; add --overwrite, "
                "or choose another --out."
            ) from error
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
        return cls(wanted, records={record.source: record for record in records})

    def write(self, out: Path) -> Path:
        """Write ``summary.json``."""
        images = [dataclasses.asdict(record) for record in self.records.values()]
        skipped = [{"source": source, "reason": why} for source, why in self.skipped.items()]
        return write_json(
            out / FILE,
            {
                "format": FORMAT,
                "hierseg": __version__,
                "complete": self.complete,
                "about": self.about,
                "settings": self.settings,
                "images_done": len(images),
                "images_skipped": len(skipped),
                "skipped": skipped,
                "images": images,
            },
        )


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(f"{item:g}" if isinstance(item, float) else str(item) for item in value)
    return "none" if value is None else str(value)
