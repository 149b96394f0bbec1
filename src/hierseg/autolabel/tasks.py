"""What there is to label, where the labels go, and what earlier runs have done of it."""

from __future__ import annotations

import functools
import os
import shutil
from pathlib import Path
from typing import NamedTuple

from hierseg.autolabel.journal import COMMAND, Places
from hierseg.data import (
    ENDING,
    AutoHeader,
    AutoRecord,
    AutoRecords,
    Sample,
    SegmentationDataset,
    find_auto_records,
    place_auto_labels,
)
from hierseg.errors import UsageError, UserError
from hierseg.ownership import FileRecord


class Task(NamedTuple):
    """A sample, where its image is below the header's root, and where its labels go."""

    sample: Sample
    image: str
    label: str
    confidence: str


def list_samples(dataset: SegmentationDataset, out: Path) -> list[Sample]:
    """The samples but for those that are labels of an earlier run, where ``out`` lies in a folder
    that is searched to the bottom; UserError where ``out`` holds images of the data set.
    """
    folder = out.resolve()
    folders = {sample.image.parent for sample in dataset.samples}
    own = {place for place in folders if place.resolve().is_relative_to(folder)}
    others = [sample for sample in dataset.samples if sample.image.parent not in own]
    if own and not (others and any(out.glob(f"[!.]*{ENDING}"))):
        raise UserError(
            f"'{out}' holds images of {dataset.name}, among which labels must not go; choose "
            "another --out."
        )
    return others


def require_free(
    tasks: list[Task], places: Places, header: AutoHeader, written: FileRecord
) -> None:
    """UsageError for a file where labels would go, or what is said of them, that no run wrote."""

    @functools.cache  # asked for where there is doubt: other parts may have ended meanwhile
    def find_own() -> set[str]:
        earlier = find_earlier(header, places)
        own = {place for part in earlier for r in part.records.values() for place in _places_of(r)}
        if any(part.path == places.records for part in earlier):
            own |= {places.summary.name, places.picture.name}
        return own

    files = [place for task in tasks for place in (task.label, task.confidence)]
    files += [places.summary.name, places.picture.name]
    written.require(files, "--out", is_own=lambda file: file in find_own())


def _places_of(record: AutoRecord) -> tuple[str, str]:
    return record.label, record.confidence


def list_tasks(
    samples: list[Sample], dataset: SegmentationDataset, root: Path | None
) -> tuple[list[Task], Path]:
    """What there is to do, and the folder that the images' paths are relative to."""
    # Absolute by the text alone: links keep their names.
    images = [Path(os.path.abspath(sample.image)) for sample in samples]  # noqa: PTH100
    base = Path(os.path.abspath(root)) if root is not None else None  # noqa: PTH100
    if base is None or not all(image.is_relative_to(base) for image in images):
        base = Path(os.path.commonpath([image.parent for image in images]))
    tasks, owners = [], dict[str, Path]()
    for sample, image in zip(samples, images, strict=True):
        label, confidence = place_auto_labels(dataset.name, dataset.split, sample)
        for place in (label, confidence):
            other = owners.setdefault(place.casefold(), image)
            if other != image:
                raise UserError(
                    f"the labels of '{other}' and '{image}' would both be {place}; rename one of "
                    "the two images."
                )
        tasks.append(Task(sample, image.relative_to(base).as_posix(), label, confidence))
    return tasks, base


def find_earlier(header: AutoHeader, places: Places) -> list[AutoRecords]:
    """What all parts have recorded of this split; UsageError where they had other settings."""
    found = [part for part in find_auto_records(places.out) if part.header.split == header.split]
    for part in found:
        was, now = dict(part.header.settings), dict(header.settings)
        was |= {"data": part.header.data, "classes": part.header.label_space.names}
        now |= {"data": header.data, "classes": header.label_space.names}
        was["ids"], now["ids"] = part.header.label_space.raw_ids, header.label_space.raw_ids
        differing = [key for key in {**was, **now} if was.get(key) != now.get(key)]
        if differing:
            raise UsageError(
                f"'{part.path}' is of labels that were made with other {', '.join(differing)}; "
                f"choose another --out, or remove what is there of {header.split}."
            )
    return found


def remove_part(part: AutoRecords, places: Places) -> None:
    """Remove what a shard has said: the whole says it now, the same as if it had done it all."""
    if part.path == places.records:
        return
    number = part.path.stem.removeprefix(places.records.stem)
    for path in (
        part.path,
        *(p.with_name(f"{p.stem}{number}{p.suffix}") for p in (places.summary, places.picture)),
    ):
        path.unlink(missing_ok=True)
    FileRecord(places.out, COMMAND, part.path.stem).remove()
    shutil.rmtree(places.out / f".{part.path.stem}.work", ignore_errors=True)  # of a killed one
