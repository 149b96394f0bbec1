"""Label the images of a split, or a part of them, and go on where an earlier run has stopped."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from hierseg.autolabel.counting import count_labels, quantise, recount
from hierseg.autolabel.journal import Journal, Places, Shard
from hierseg.autolabel.picture import draw_summary
from hierseg.autolabel.summary import AutoSummary, summarise
from hierseg.autolabel.tasks import (
    Task,
    find_earlier,
    list_samples,
    list_tasks,
    remove_part,
    require_free,
)
from hierseg.data import (
    AutoHeader,
    AutoRecord,
    AutoRecords,
    FileStatus,
    SegmentationDataset,
    format_record,
    format_skipped,
    get_status,
)
from hierseg.errors import UserError
from hierseg.files import write_json
from hierseg.inference import Prediction, Predictor
from hierseg.jobs import (
    AHEAD,
    Pipeline,
    Reading,
    RunProgress,
    RunSettings,
    describe_run,
    read_ahead,
)
from hierseg.media import (
    UnwritableError,
    as_unwritable,
    pixels_counted_here,
    read_image,
    write_picture,
)
from hierseg.ownership import FileRecord


class _Unwritten(NamedTuple):
    """An image whose labels could not be written."""

    task: Task
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

    Images are run one at a time unless the predictor's options name a batch: together, they come
    out alike up to rounding alone, and a run that was killed gives what one that was not gives, to
    the byte, one at a time alone. What any part has done
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
    tasks, base = list_tasks(list_samples(dataset, out), dataset, root)
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
        written = places.open_record()
        if not overwrite:
            require_free(tasks, places, header, written)
        return _label(predictor, header, places, journal, shard.choose(tasks), written, console)


def _label(
    predictor: Predictor,
    header: AutoHeader,
    places: Places,
    journal: Journal,
    tasks: list[Task],
    written: FileRecord,
    console: Console | None,
) -> AutoSummary:
    """Label a part that no other process works on, and sum it up."""
    earlier = find_earlier(header, places)
    run = _Run(header, places, journal, tasks, earlier, written)
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
    if places.shard.is_whole:
        for part in earlier:
            remove_part(part, places)
    return summary


class _Run:
    """What is done with an image as it is read, written, finished or skipped."""

    def __init__(
        self,
        header: AutoHeader,
        places: Places,
        journal: Journal,
        tasks: list[Task],
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
            batch = predictor.segmenter.options.batch
            pipeline = Pipeline(predictor, batch, self._write, self._finish, self._skip)
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

    def _read(self, task: Task) -> Reading[Task]:
        # Before its pixels: an image that is saved anew meanwhile is not the one that is done.
        self._images[task.image] = self._status(task.image)
        try:
            return Reading(task, read_image(task.sample.image))
        except UserError as error:
            return Reading(task, error)

    def _write(
        self, task: Task, prediction: Prediction | None, seconds: float
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

    def _skip(self, task: Task, reason: str) -> None:
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
