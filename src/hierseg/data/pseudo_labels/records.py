"""The records that `hierseg autolabel` keeps of its labels: a header, and a line for each image.

``SPLIT.jsonl``, or ``SPLIT.1of2.jsonl`` of a shard, beside the folder ``SPLIT`` of the labels. A
line is appended as its image is done, so that a run which is killed loses none of them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from hierseg.data.base import Sample
from hierseg.errors import MALFORMED, UserError
from hierseg.files import read_text_file, shorten_name
from hierseg.labels import LabelSpace

FORMAT = 1
BINS = 16
"""Of confidences in a record's histogram: 16 levels of 8 bits each."""
ENDING = ".jsonl"
LARGEST_RECORDS = 512 << 20
"""Bytes of a file of records: those of half a million images."""
CONFIDENCE = "_prob"
"""Ending of a confidence's name after that of the label map (METHOD section 6)."""


@dataclass(frozen=True)
class AutoHeader:
    """What auto-labels were made by.

    Attributes:
        data: Name of the data set.
        split: Name of the split.
        root: Folder that the records' images are below.
        label_space: The label maps hold its raw ids.
        settings: What labels and confidences depend on, besides the images.
        threshold: Confidence from which on the records count a pixel as kept.
        complete: Whether every image of the shard was done or skipped.
    """

    data: str
    split: str
    root: str
    label_space: LabelSpace
    settings: Mapping[str, Any]
    threshold: float
    complete: bool = False


@dataclass(frozen=True)
class AutoRecord:
    """One image that was labelled.

    Attributes:
        name: The sample's name.
        image: The image, relative to the header's root where it is below it.
        label: The label map, relative to the folder of the records.
        confidence: Its 8-bit confidence, round(255 * p), relative to the same folder.
        bytes, modified: Size and time of change (ns) of the image, by which a changed one is
            noticed.
        height, width: Of all three.
        classes: Train id, as text -> pixels, the sum of their confidences (each 0 to 255), pixels
            that the threshold keeps.
        histogram: Pixels by confidence, in ``BINS`` equal parts of 0..255.
    """

    name: str
    image: str
    label: str
    confidence: str
    bytes: int
    modified: int
    height: int
    width: int
    classes: Mapping[str, tuple[int, int, int]]
    histogram: tuple[int, ...]


@dataclass
class AutoRecords:
    """All that one file holds.

    Attributes:
        path: The file.
        header: What the labels were made by.
        records: Images done, by the path of their label map.
        skipped: Image -> why it was not labelled.
    """

    path: Path
    header: AutoHeader
    records: dict[str, AutoRecord] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def place_auto_labels(data: str, split: str, sample: Sample) -> tuple[str, str]:
    """Where the label map and the confidence of a sample go, relative to the folder of all.

    Of Cityscapes ``SPLIT/CITY/NAME_leftImg8bit.png`` and ``..._leftImg8bit_prob.png``, as the
    published ones; of others ``SPLIT/NAME.png`` and ``SPLIT/NAME_prob.png``.
    """
    if data == "cityscapes":
        name = PurePosixPath(sample.image.parent.name, sample.image.stem)
    else:
        name = PurePosixPath(sample.name)
    parts = [part for part in (*PurePosixPath(split).parts, *name.parts) if part not in ("/", "..")]
    stem = "/".join([*parts[:-1], shorten_name(parts[-1])])
    return f"{stem}.png", f"{stem}{CONFIDENCE}.png"


def format_header(header: AutoHeader) -> str:
    """The first line of a file."""
    content = {
        "format": FORMAT,
        "data": header.data,
        "split": header.split,
        "root": header.root,
        "label_space": header.label_space.to_dict(),
        "settings": dict(header.settings),
        "threshold": header.threshold,
        "complete": header.complete,
    }
    return json.dumps(content) + "\n"


def format_record(record: AutoRecord) -> str:
    """The line of an image that was labelled."""
    return json.dumps(dataclasses.asdict(record)) + "\n"


def format_skipped(image: str, reason: str) -> str:
    """The line of an image that could not be."""
    return json.dumps({"skipped": image, "reason": reason}) + "\n"


def read_auto_records(path: Path) -> AutoRecords:
    """Read a file that ``hierseg autolabel`` wrote, or is writing: a last line that was cut off
    does not count, and of two lines about one image the later does.

    Raises:
        UserError: It is not such a file.
    """
    try:
        text = read_text_file(path, "records of auto-labels", LARGEST_RECORDS)
        lines = text.split("\n")[:-1]
        found = AutoRecords(path, _read_header(json.loads(lines[0])))
        for line in lines[1:]:
            content = json.loads(line)
            if "skipped" in content:
                found.skipped[str(content["skipped"])] = str(content["reason"])
            else:
                record = _read_record(content)
                found.records[record.label] = record
                found.skipped.pop(record.image, None)
    except (*MALFORMED, UserError) as error:
        raise UserError(
            f"'{path}' is not readable as records of auto-labels; keep it elsewhere, or, if "
            "`hierseg autolabel` wrote it, remove it and label again."
        ) from error
    return found


def _read_header(content: Mapping[str, Any]) -> AutoHeader:
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']}")
    return AutoHeader(
        data=str(content["data"]),
        split=str(content["split"]),
        root=str(content["root"]),
        label_space=LabelSpace.from_dict(content["label_space"]),
        settings=dict(content["settings"]),
        threshold=float(content["threshold"]),
        complete=bool(content["complete"]),
    )


def _read_record(content: Mapping[str, Any]) -> AutoRecord:
    for key in ("label", "confidence"):  # a file from elsewhere must not lead out of its folder
        place = PurePosixPath(content[key])
        if place.is_absolute() or ".." in place.parts:
            raise ValueError(f"{key} {place}")
    return AutoRecord(
        name=str(content["name"]),
        image=str(content["image"]),
        label=str(content["label"]),
        confidence=str(content["confidence"]),
        bytes=int(content["bytes"]),
        modified=int(content["modified"]),
        height=int(content["height"]),
        width=int(content["width"]),
        classes={
            str(int(train)): (int(pixels), int(total), int(kept))
            for train, (pixels, total, kept) in content["classes"].items()
        },
        histogram=_read_histogram(content["histogram"]),
    )


def _read_histogram(counts: list[Any]) -> tuple[int, ...]:
    if len(counts) != BINS:
        raise ValueError(f"{len(counts)} bins")
    return tuple(int(count) for count in counts)
