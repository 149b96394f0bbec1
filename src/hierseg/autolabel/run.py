"""Label the images of a split, or a part of them, and go on where an earlier run has stopped."""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from hierseg.autolabel.counting import count_labels, quantise, recount
from hierseg.autolabel.journal import COMMAND, Journal, Places, Shard
from hierseg.autolabel.picture import draw_summary
from hierseg.autolabel.summary import AutoSummary, summarise
from hierseg.data import Sample, SegmentationDataset
from hierseg.data.archive import FileStatus, get_status
from hierseg.data.auto_labels import find_auto_records
from hierseg.data.auto_records import (
    ENDING,
    AutoHeader,
    AutoRecord,
    AutoRecords,
    format_record,
    format_skipped,
    place_auto_labels,
)
from hierseg.errors import UsageError, UserError
from hierseg.inference import Prediction, Predictor, RunSettings, read_image
from hierseg.inference.pipeline import AHEAD, Pipeline, Reading, read_ahead
from hierseg.inference.progress import RunProgress
from hierseg.inference.reading import pixels_counted_here
from hierseg.inference.run import describe_run
from hierseg.inference.writers import (
    UnwritableError,
    as_unwritable,
    write_json,
    write_picture,
)
from hierseg.ownership import FileRecord


class _Task(NamedTuple):
    """A sample, where its image is below the header's root, and where its labels go."""

    sample: Sample
    image: str
    label: str
    confidence: str


class _Unwritten(NamedTuple):
    """An image whose labels could not be written."""

    task: _Task
    reason: str


def autolabel(
    predictor: Predictor,
    dataset: SegmentationDataset,
    out: Path,
    shard: Shard = Shard(),  # noqa: B008 - a tuple
    threshold: float = 0.5,
    root: Path | None = None,
    console: Console | None = None,
    overwrite: bool = False,
) -> AutoSummary:
    """Write hard labels in raw ids and 8-bit confidences of a split's images.

    Images are run one at a time: together, they would come out alike up to rounding alone, and a
    run that was killed is to give what one that was not gives, to the byte. What any part has done
    in this folder is not done again. The whole, ``Shard(1, 1)``, takes over the records of the
    parts, none of which may be running still.

    Args:
        predictor: Its label space says the raw ids.
        dataset: The images; label maps that it has do not matter.
        out: Folder of ``SPLIT``, ``SPLIT.jsonl``, ``SPLIT_summary.json`` and ``.png``.
        shard: The part that is labelled.
        threshold: Of the summary; labels and confidences do not depend on it.
        root: The data set's folder.
        console: For progress; None for none.
        overwrite: Replace files that no run has written.

    Raises:
        UsageError: ``out`` holds labels of this split that were made with other settings, or files
            where labels would go that no run has written.
        UserError: Two images have one name, another process works on the part, or ``out`` holds
            images of the data set.
        OSError: Labels cannot be written.
        KeyboardInterrupt: As it came, what is done being recorded.
    """
    tasks, base = _list_tasks(_list_samples(dataset, out), dataset, root)
    header = AutoHeader(
        data=dataset.name,
        split=dataset.split,
        root=str(base),
        label_space=predictor.label_space,
        settings=describe_run(predictor, RunSettings(save=("auto-labels",))),
        threshold=threshold,
    )
    out.mkdir(parents=True, exist_ok=True)
    places = Places(out, dataset.split, shard)
    with Journal(places) as journal, pixels_counted_here():
        places.require_apart()
        chosen, earlier = shard.choose(tasks), _find_earlier(header, places)
        written = places.open_record()
        if not overwrite:
            _require_free(tasks, places, header, written)
        run = _Run(header, places, journal, chosen, earlier, written)
        try:
            run.label(predictor, console)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"interrupted; {len(run.records)} of {len(run.tasks)} images are done, and the "
                "same command goes on from there."
            ) from None
        summary = run.finish()
        if run.is_recorded:
            written.remove()
        if shard.is_whole:
            for part in earlier:
                _remove_part(part, places)
    return summary


def _list_samples(dataset: SegmentationDataset, out: Path) -> list[Sample]:
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


def _require_free(
    tasks: list[_Task], places: Places, header: AutoHeader, written: FileRecord
) -> None:
    """UsageError for a file where labels would go, or what is said of them, that no run wrote."""

    @functools.cache  # asked for where there is doubt: other parts may have ended meanwhile
    def find_own() -> set[str]:
        earlier = _find_earlier(header, places)
        own = {place for part in earlier for r in part.records.values() for place in _places_of(r)}
        if any(part.path == places.records for part in earlier):
            own |= {places.summary.name, places.picture.name}
        return own

    files = [place for task in tasks for place in (task.label, task.confidence)]
    files += [places.summary.name, places.picture.name]
    written.require(files, "--out", is_own=lambda file: file in find_own())


def _places_of(record: AutoRecord) -> tuple[str, str]:
    return record.label, record.confidence


def _list_tasks(
    samples: list[Sample], dataset: SegmentationDataset, root: Path | None
) -> tuple[list[_Task], Path]:
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
        tasks.append(_Task(sample, image.relative_to(base).as_posix(), label, confidence))
    return tasks, base


def _find_earlier(header: AutoHeader, places: Places) -> list[AutoRecords]:
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


def _remove_part(part: AutoRecords, places: Places) -> None:
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


class _Run:
    """What is done with an image as it is read, written, finished or skipped."""

    def __init__(
        self,
        header: AutoHeader,
        places: Places,
        journal: Journal,
        tasks: list[_Task],
        earlier: list[AutoRecords],
        written: FileRecord,
    ) -> None:
        self.header, self.places, self.journal, self.tasks = header, places, journal, tasks
        self.written = written
        self.is_recorded = True  # unless files of an image are there that no record names
        self._images: dict[str, FileStatus] = {}
        self.skipped: dict[str, str] = {}
        self.records: dict[str, AutoRecord] = {}
        for task in tasks:
            for part in earlier:
                record = part.records.get(task.label)
                if record is not None and self._is_current(record):
                    if part.header.threshold != header.threshold:
                        record = recount(record, places.out, header)
                    self.records[task.label] = record

    def label(self, predictor: Predictor, console: Console | None) -> None:
        """Label what is not done yet."""
        self.journal.begin(self.header, list(self.records.values()))
        waiting = [task for task in self.tasks if task.label not in self.records]
        readers = ThreadPoolExecutor(2, "read")
        with RunProgress(len(waiting), console) as self.progress:
            pipeline = Pipeline(predictor, 1, self._write, self._finish, self._skip)
            try:
                pipeline.run(read_ahead(readers, waiting, self._read, AHEAD))
            finally:
                readers.shutdown(cancel_futures=True)

    def finish(self) -> AutoSummary:
        """Write the records in the order of the images, and their summary."""
        header = dataclasses.replace(self.header, complete=True)
        done = [self.records[task.label] for task in self.tasks if task.label in self.records]
        skipped = {t.image: self.skipped[t.image] for t in self.tasks if t.image in self.skipped}
        self.journal.write(header, done, skipped)
        summary = summarise(AutoRecords(self.places.records, header, self.records, skipped))
        work = self.places.work
        write_json(work / "summary", summary.to_json()).replace(self.places.summary)
        picture = write_picture(work / "summary.png", draw_summary(summary))
        picture.replace(self.places.picture)
        return summary

    def _read(self, task: _Task) -> Reading[_Task]:
        # Before its pixels: an image that is saved anew meanwhile is not the one that is done.
        self._images[task.image] = self._status(task.image)
        try:
            return Reading(task, read_image(task.sample.image))
        except UserError as error:
            return Reading(task, error)

    def _write(
        self, task: _Task, prediction: Prediction | None, seconds: float
    ) -> AutoRecord | _Unwritten:
        assert prediction is not None
        confidence = quantise(prediction.confidence)
        self.written.add(task.confidence, task.label)
        # Confidence first: a label map without one is never there.
        try:
            for place, values in (
                (task.confidence, confidence),
                (task.label, prediction.raw_ids()),
            ):
                path = self.places.out / place
                path.parent.mkdir(parents=True, exist_ok=True)
                part = (
                    self.places.work / f"{threading.get_ident()}.png"
                )  # one at a time of a thread
                write_picture(part, values).replace(path)
        except UnwritableError as error:
            return _Unwritten(task, error.reason)
        except OSError as error:
            return _Unwritten(task, as_unwritable(error, self.places.out).reason)
        classes, histogram = count_labels(prediction.labels, confidence, self.header)
        status = self._images.pop(task.image)
        height, width = prediction.labels.shape
        return AutoRecord(
            name=task.sample.name,
            image=task.image,
            label=task.label,
            confidence=task.confidence,
            bytes=status.size,
            modified=status.modified,
            height=height,
            width=width,
            classes=classes,
            histogram=histogram,
        )

    def _finish(self, record: AutoRecord | _Unwritten) -> None:
        if isinstance(record, _Unwritten):
            self.is_recorded = False
            self._skip(record.task, f"cannot be written: {record.reason}")
            return
        self.records[record.label] = record
        self.journal.append(format_record(record))
        self.progress.advance()

    def _skip(self, task: _Task, reason: str) -> None:
        self.skipped[task.image] = reason
        self.journal.append(format_skipped(task.image, reason))
        self.progress.say(f"skipped {task.sample.image}: {reason}")
        self.progress.advance()

    def _is_current(self, record: AutoRecord) -> bool:
        """Whether the image is as it was, and its labels are there."""
        out = self.places.out
        there = (out / record.label).is_file() and (out / record.confidence).is_file()
        return there and self._status(record.image) == (record.bytes, record.modified)

    def _status(self, image: str) -> FileStatus:
        try:
            return get_status(Path(self.header.root, image))
        except OSError:  # it may have been moved away meanwhile
            return FileStatus(0, 0)
