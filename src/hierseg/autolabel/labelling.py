"""Label the images of a split, or a part of them, and go on where an earlier run has stopped."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

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
)
from hierseg.distributed import gather
from hierseg.engines import expect_images
from hierseg.errors import UsageError
from hierseg.files import write_json
from hierseg.inference import Prediction, Predictor
from hierseg.jobs import (
    Elsewhere,
    Job,
    Pixels,
    Policy,
    RunProgress,
    RunSettings,
    Source,
    describe_run,
    interrupted_after,
    run_elsewhere,
)
from hierseg.media import pixels_counted_here, read_image, write_picture
from hierseg.ownership import FileRecord
from hierseg.processes import alone, count_processes, own_rank
from hierseg.urls import HERE, Mirrors


def autolabel(
    predictor: Predictor,
    dataset: SegmentationDataset,
    out: Path,
    shard: Shard = Shard(),  # noqa: B008 - a tuple
    threshold: float = 0.5,
    root: Path | None = None,
    console: Console | None = None,
    overwrite: bool = False,
    workers: Elsewhere | None = None,
    mirrors: Mirrors = HERE,
    before: Callable[[Sequence[Path]], object] | None = None,
) -> AutoSummary:
    """Write hard labels in raw ids and 8-bit confidences of a split's images.

    Images are run one at a time unless the predictor's options name a batch: together, they come
    out alike up to rounding alone, and a run that was killed gives what one that was not gives, to
    the byte, one at a time alone. What any part has done
    in this folder is not done again. Of several processes each labels a part, and the first then
    takes over the records of all, and returns their summary; the others return that of their part.
    The whole, ``Shard(1, 1)``, takes over the records of the
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
        workers: Who labels the images instead of this process.
        mirrors: Of images and labels that are at URLs.
        before: Told of the images that are left to do, before any is run.

    Raises:
        UsageError: ``out`` holds labels of this split that were made with other settings, or files
            where labels would go that no run has written.
        UserError: Two images have one name, another process works on the part, or ``out`` holds
            images of the data set.
        OSError: Labels cannot be written.
        KeyboardInterrupt: As it came, what is done being recorded.
    """
    if count_processes() > 1:
        return _share(
            lambda part: autolabel(
                predictor, dataset, out, part, threshold, root, console, overwrite, before=before
            ),
            shard,
        )
    tasks, base = list_tasks(list_samples(dataset, out), dataset, root)
    header = AutoHeader(
        data=dataset.name,
        split=dataset.split,
        root=mirrors.name(base),
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
        chosen = shard.choose(tasks)
        policy = _LabelPolicy(header, places, written, mirrors)
        return _label(predictor, policy, journal, chosen, console, workers, before)


def _share(label: Callable[[Shard], AutoSummary], shard: Shard) -> AutoSummary:
    """Label a part in each process, and then the whole in the first: what is left, and their
    summary.
    """
    if not shard.is_whole:
        raise UsageError(
            "--shard is for processes that are launched one by one, and these share the images "
            "already; leave it out."
        )
    part = Shard(own_rank() + 1, count_processes())
    with alone():
        own = label(part)
    gather(True)  # all of them are done
    if own_rank() > 0:
        return own
    with alone():
        return label(shard)


def _label(
    predictor: Predictor,
    policy: _LabelPolicy,
    journal: Journal,
    tasks: list[Task],
    console: Console | None,
    elsewhere: Elsewhere | None = None,
    before: Callable[[Sequence[Path]], object] | None = None,
) -> AutoSummary:
    """Label a part that no other process works on, and sum it up."""
    header, places, mirrors = policy.header, policy.places, policy.mirrors
    earlier = find_earlier(header, places)
    job = Job(policy, journal, places.out, predictor.segmenter.options.batch, mirrors=mirrors)
    for task in tasks:
        for part in earlier:
            record = part.records.get(task.label)
            if record is not None and job.is_current(record):
                if part.header.threshold != header.threshold:
                    with mirrors.having(*map(places.out.joinpath, policy.list_files(record))):
                        record = recount(record, places.out, header)
                journal.records[task.image] = record
    journal.begin(header)
    waiting = [task for task in tasks if task.image not in journal.records]
    policy.claim_there(waiting)
    if before is not None:
        before([task.sample.image for task in waiting])
    try:
        with RunProgress(len(waiting), console) as job.progress:
            if elsewhere is not None:
                run_elsewhere(job, elsewhere.load, elsewhere.workers, waiting)
            else:
                expect_images(predictor.engine, len(waiting), job.progress.say)
                job.run(predictor, waiting)
    except KeyboardInterrupt:
        raise interrupted_after(f"{len(journal.records)} of {len(tasks)} images") from None
    job.sort(task.image for task in tasks)
    summary = _finish(dataclasses.replace(header, complete=True), places, journal, tasks)
    if policy.written is not None and policy.is_recorded(journal.records.values()):
        policy.written.remove()
    if places.shard.is_whole:
        for part in earlier:
            remove_part(part, places)
    return summary


def _finish(header: AutoHeader, places: Places, journal: Journal, tasks: list[Task]) -> AutoSummary:
    """Write the records in the order of the images, and their summary."""
    skipped = journal.skipped
    journal.skipped = {t.image: skipped[t.image] for t in tasks if t.image in skipped}
    journal.write(header)
    records = {record.label: record for record in journal.records.values()}
    summary = summarise(AutoRecords(places.records, header, records, journal.skipped))
    write_json(places.summary, summary.to_json(), places.work)
    write_picture(places.picture, draw_summary(summary), places.work)
    return summary


class _LabelPolicy(Policy[Task, AutoRecord]):
    """What is done with an image whose labels are wanted."""

    can_divide = False

    def __init__(
        self,
        header: AutoHeader,
        places: Places,
        written: FileRecord | None = None,
        mirrors: Mirrors = HERE,
    ) -> None:
        self.header, self.places, self.written = header, places, written
        self.mirrors = mirrors
        self._claimed: set[str] = set()

    def key(self, item: Task) -> str:
        return item.image

    def list_files(self, record: AutoRecord) -> Sequence[str]:
        return record.label, record.confidence

    def find_source(self, record: AutoRecord) -> Source:
        path = self.mirrors.place(self.header.root) / record.image
        return Source(path, FileStatus(record.bytes, record.modified))

    def locate(self, item: Task) -> Path:
        return self.mirrors.place(self.header.root) / item.image

    def read(self, item: Task) -> Pixels:
        return read_image(item.sample.image)

    def claim(self, item: Task, prediction: Prediction) -> None:
        self.claim_ahead(item)

    def claim_ahead(self, item: Task) -> None:
        if self.written is not None:
            files = (item.confidence, item.label)
            self._claimed.update(files)
            self.written.add(*files)

    def give_back(self, item: Task) -> None:
        self._claimed -= {item.confidence, item.label}

    def copy_for_worker(self) -> _LabelPolicy:
        return _LabelPolicy(self.header, self.places, None, self.mirrors)

    def claim_there(self, items: Sequence[Task]) -> None:
        """Have the files of all items down as the run's own where they go to a URL, before any is
        written: what is added to records later reaches it now and then.
        """
        if self.mirrors.out is None:
            return
        for item in items:
            self.claim_ahead(item)
        self.mirrors.out.sync()
        self.mirrors.out.watch(self.places.records)

    def prepare_there(self) -> None:
        self.places.work.mkdir(parents=True, exist_ok=True)

    def is_recorded(self, records: Iterable[AutoRecord]) -> bool:
        """Whether records name all files that may be there."""
        return self._claimed <= {file for record in records for file in self.list_files(record)}

    def write(
        self, item: Task, prediction: Prediction, seconds: float, status: FileStatus
    ) -> AutoRecord:
        confidence = quantise(prediction.confidence)
        # Confidence first: a label map without one is never there.
        for place, values in (
            (item.confidence, confidence),
            (item.label, prediction.raw_ids()),
        ):
            path = self.places.out / place
            path.parent.mkdir(parents=True, exist_ok=True)
            write_picture(path, values, self.places.work)
        classes, histogram = count_labels(prediction.labels, confidence, self.header)
        height, width = prediction.labels.shape
        return AutoRecord(
            name=item.sample.name,
            image=item.image,
            label=item.label,
            confidence=item.confidence,
            bytes=status.size,
            modified=status.modified,
            height=height,
            width=width,
            classes=classes,
            histogram=histogram,
        )

    def describe(self, item: Task) -> str:
        return self.mirrors.name(item.sample.image)
