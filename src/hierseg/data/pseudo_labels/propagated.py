"""What `hierseg propagate` says of the frames that it made: a header and one line a labelled frame.

``propagation.jsonl`` lies in the folder of the data set. A line is appended as its frame is done,
so that a run which is killed loses none of them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from hierseg.data.archive import is_file
from hierseg.data.base import Sample, SegmentationDataset
from hierseg.data.pseudo_labels.records import LARGEST_RECORDS
from hierseg.errors import MALFORMED, UsageError, UserError
from hierseg.files import read_text_file
from hierseg.labels import LabelSpace

PROPAGATION = "propagation.jsonl"
"""The file's name."""
_FORMAT = 1


@dataclass(frozen=True)
class PropagatedHeader:
    """What frames were made by.

    Attributes:
        data: Name of the data set that is written: cityscapes, or that of a description.
        label_space: The label maps hold its raw ids.
        settings: All that the files depend on, besides frames and labels.
        complete: Whether every labelled frame was done or skipped.
    """

    data: str
    label_space: LabelSpace
    settings: Mapping[str, Any]
    complete: bool = False


@dataclass(frozen=True)
class PropagatedFrame:
    """A frame that was written.

    Attributes:
        name: Unique in its split.
        step: Frames from the labelled one: 0 is that itself, negative before it.
        image, label, confidence: Files, relative to the data set's folder; the confidence holds
            round(255 * p).
        files: Further files of it.
        kept: Share of the pixels that have a class.
    """

    name: str
    step: int
    image: str
    label: str
    confidence: str
    files: tuple[str, ...]
    kept: float


@dataclass(frozen=True)
class PropagatedRecord:
    """One labelled frame that was propagated.

    Attributes:
        key: Its name, with the split.
        split: Of all its frames.
        source: Its label map.
        bytes, modified: Size and time of change (ns) of that, by which a changed one is noticed.
        frames: In order of time.
        problems: Why it is not propagated as far as asked for; none where it is.
    """

    key: str
    split: str
    source: str
    bytes: int
    modified: int
    frames: tuple[PropagatedFrame, ...]
    problems: tuple[str, ...] = ()


@dataclass
class PropagatedRecords:
    """All that the file holds.

    Attributes:
        path: The file.
        header: What frames were made by.
        records: By key.
        skipped: Key -> why a label map was not propagated at all.
    """

    path: Path
    header: PropagatedHeader
    records: dict[str, PropagatedRecord] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def format_propagation_header(header: PropagatedHeader) -> str:
    """The first line of the file."""
    content = {
        "format": _FORMAT,
        "command": "propagate",
        "data": header.data,
        "label_space": header.label_space.to_dict(),
        "settings": dict(header.settings),
        "complete": header.complete,
    }
    return json.dumps(content) + "\n"


def format_propagation(record: PropagatedRecord) -> str:
    """The line of a labelled frame."""
    return json.dumps(dataclasses.asdict(record)) + "\n"


def read_propagation(path: Path) -> PropagatedRecords:
    """Read the file that ``hierseg propagate`` wrote, or is writing: a last line that was cut off
    does not count, and of two lines about one frame the later does.

    Raises:
        UserError: It is not such a file.
    """
    try:
        lines = read_text_file(path, "records of propagation", LARGEST_RECORDS).split("\n")[:-1]
        found = PropagatedRecords(path, _read_header(json.loads(lines[0])))
        for line in lines[1:]:
            content = json.loads(line)
            if "skipped" in content:
                found.skipped[str(content["skipped"])] = str(content["reason"])
                continue
            record = _read_record(content)
            found.records[record.key] = record
            found.skipped.pop(record.key, None)
    except (*MALFORMED, UserError) as error:
        raise UserError(
            f"'{path}' is not readable as records of propagation; remove its folder and propagate "
            "anew, or name another folder."
        ) from error
    return found


def open_propagated(
    folder: Path, main: SegmentationDataset, step: int, flag: str = "--data.extra-step"
) -> SegmentationDataset:
    """The frames of one step before and after the labelled ones, as an extra source.

    Args:
        folder: What `hierseg propagate --out` named.
        main: The source that they join, of the same classes.
        step: How many frames from the labelled ones, at least 1.
        flag: What the setting of the step is called.

    Raises:
        UsageError: There are no frames of that step.
        UserError: The folder holds no propagated frames, or those of other classes, or a file is
            not where it was.
    """
    path = folder / PROPAGATION
    if not is_file(path):
        raise UserError(
            f"'{folder}' holds no propagated frames; make them with `hierseg propagate --out`, or "
            "name another folder with --data.propagated-root."
        )
    found = read_propagation(path)
    space, theirs = main.label_space, found.header.label_space
    if theirs.names != space.names:
        raise UserError(
            f"the frames of '{path}' have the classes of '{theirs.name}', and {main.name} has "
            f"those of '{space.name}'; name a folder of the same classes."
        )
    samples, farthest = [], 0
    # Of Cityscapes' cross-validations those whose labelled frame is trained on, wherever it lies.
    own_names = {sample.name.rpartition("/")[2] for sample in main.samples}
    for record in found.records.values():
        if found.header.data == "cityscapes":
            joins = record.key.rpartition("/")[2] in own_names
        else:
            joins = record.split == "train"
        for frame in record.frames:
            farthest = max(farthest, abs(frame.step))
            if abs(frame.step) == step and joins:
                image, label = folder / frame.image, folder / frame.label
                for file in (image, label):
                    if not is_file(file):
                        raise UserError(
                            f"'{file}', of the frames in '{path}', is not there; run `hierseg "
                            "propagate` again."
                        )
                samples.append(Sample(frame.name, image, label))
    if not samples:
        raise UsageError(
            f"'{folder}' holds no frames {step} from a labelled one of {main.split} (the farthest "
            f"are {farthest}); give another {flag}, or propagate farther."
        )
    samples.sort(key=lambda sample: sample.name)
    own = dataclasses.replace(theirs, ignore=space.ignore)
    dataset = SegmentationDataset(main.name, main.split, own, samples)
    dataset.note = f"propagated by {step}"
    return dataset


def _read_header(content: Mapping[str, Any]) -> PropagatedHeader:
    if content["format"] != _FORMAT:
        raise ValueError(f"format {content['format']}")
    return PropagatedHeader(
        data=str(content["data"]),
        label_space=LabelSpace.from_dict(content["label_space"]),
        settings=dict(content["settings"]),
        complete=bool(content["complete"]),
    )


def _read_record(content: Mapping[str, Any]) -> PropagatedRecord:
    return PropagatedRecord(
        key=str(content["key"]),
        split=str(content["split"]),
        source=str(content["source"]),
        bytes=int(content["bytes"]),
        modified=int(content["modified"]),
        frames=tuple(_read_frame(frame) for frame in content["frames"]),
        problems=tuple(str(problem) for problem in content["problems"]),
    )


def _read_frame(content: Mapping[str, Any]) -> PropagatedFrame:
    files = [content[key] for key in ("image", "label", "confidence")]
    for file in (
        *files,
        *content["files"],
    ):  # a file from elsewhere must not lead out of its folder
        place = PurePosixPath(file)
        if place.is_absolute() or ".." in place.parts:
            raise ValueError(f"file {place}")
    return PropagatedFrame(
        str(content["name"]), int(content["step"]), str(files[0]), str(files[1]), str(files[2]),
        tuple(map(str, content["files"])), float(content["kept"]),
    )  # fmt: skip
