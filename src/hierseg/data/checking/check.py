"""Reading every pair of a data set, to say what is wrong with it before it is trained on."""

from __future__ import annotations

import contextlib
import glob
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hierseg.data.archive import find_files, is_file
from hierseg.data.base import Sample, SegmentationDataset
from hierseg.data.catalog import open_dataset
from hierseg.data.checking.classes import explain_absent
from hierseg.data.checking.headers import (
    Header,
    describe_mismatch,
    describe_small,
    read_image_header,
)
from hierseg.data.checking.report import CheckReport, PairReport, SplitReport
from hierseg.data.datasets.split_names import NEEDED, list_splits
from hierseg.data.datasets.synthetic import is_synthetic
from hierseg.data.options import STANDARD, DataOptions
from hierseg.data.parallel import Progress, map_in_order
from hierseg.data.reading import DataError, read_dataset_image
from hierseg.errors import UsageError, UserError
from hierseg.files import UnreadableFolderError
from hierseg.labels import UnknownLabelError
from hierseg.size import SMALLEST_SIDE, Size

VALUES = 256  # of a train id


def check_data(
    report: CheckReport,
    root: Path | None,
    splits: Sequence[str] | None = None,
    options: DataOptions = STANDARD,
    workers: int = 0,
    on_progress: Progress | None = None,
) -> None:
    """Read every pair of a data set and add what is found to a report.

    The report holds what was found so far when this is interrupted.

    Args:
        report: A new report with the name of the data set, or the file that describes it.
        root: Its folder.
        splits: Those to check; None checks all that are there.
        options: As for ``open_dataset``.
        workers: Processes that read.
        on_progress: Called with (pairs done, pairs in all).

    Raises:
        UsageError: There is no such data set or split, or its folder is not given.
    """
    if is_synthetic(report.name):
        raise UsageError(f"{report.name} data have no files to check; name a data set.")
    opened = _open_splits(report, root, splits, options)
    total = sum(len(dataset) for dataset in opened)
    done = 0
    for dataset in opened:
        split = SplitReport(dataset.split, dataset.note, dataset.label_space.names)
        report.splits.append(split)
        ignore = dataset.label_space.ignore
        pairs = map_in_order(_Checker(dataset), range(len(dataset)), workers)
        with contextlib.closing(pairs):
            for pair in pairs:
                split.add(pair, ignore)
                done += 1
                if on_progress is not None:
                    on_progress(done, total)
    if splits is None:
        report.unclaimed = _find_unclaimed(opened)
    if sentence := explain_absent(report.name, report.splits, opened):
        report.add_problem(sentence)
    report.is_complete = True


def _open_splits(
    report: CheckReport, root: Path | None, splits: Sequence[str] | None, options: DataOptions
) -> list[SegmentationDataset]:
    """The splits that can be opened; the sentences of the others go to the report."""
    try:
        names = list_splits(report.name, root)
    except UserError as error:
        report.add_problem(str(error))
        return []
    wanted = [*names.needed, *names.optional] if splits is None else list(splits)
    for split in NEEDED:
        if splits is None and split not in wanted:
            report.add_problem(
                f"there is no split {split}, which training asks for; add it, or name another one "
                f"with --data.{split}-split, and check that with --splits."
            )
    opened = []
    for split in wanted:
        try:
            opened.append(
                open_dataset(report.name, root, split, keep_unpaired=True, options=options)
            )
        except UsageError:
            raise
        except UserError as error:
            is_unlisted = isinstance(error, UnreadableFolderError)  # what is there may be much
            if splits is not None or split in names.needed or is_unlisted:
                report.add_problem(str(error))
    return opened


@dataclass(frozen=True)
class _Checker:
    """What a worker does for one pair."""

    dataset: SegmentationDataset

    def __call__(self, index: int) -> PairReport:
        sample = self.dataset.samples[index]
        found = PairReport(sample.name)
        self._check_image(sample, found)
        if sample.label is None:
            return found
        found.label = str(sample.label)
        if not is_file(sample.label):
            found.problems.append(
                f"'{sample.image}' has no label map: '{sample.label}' is not there."
            )
            return found
        try:
            label_size = self._count(index, sample.label, found)
        except DataError as error:
            found.problems.append(str(error))
            return found
        if found.size is not None and found.size != label_size:
            header = Header(found.size, found.turned)
            found.problems.append(describe_mismatch(sample.image, header, sample.label, label_size))
        return found

    def _check_image(self, sample: Sample, found: PairReport) -> None:
        try:
            image = read_dataset_image(sample.image)
            side = min(image.shape[:2])
            if side < SMALLEST_SIDE and self.dataset.split == "val":
                found.problems.append(describe_small(sample.image, Size(*image.shape[:2])))
            found.turned = read_image_header(sample.image).turned
        except DataError as error:
            found.problems.append(str(error))
            return
        found.size = Size(*image.shape[:2])
        digest = hashlib.blake2b(str(found.size).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(image).data)
        found.digest = digest.digest()

    def _count(self, index: int, label: Path, found: PairReport) -> Size:
        """Count the label map's pixels; return its size."""
        kind = type(self.dataset)
        if (kind.read_labels, kind.encode_file) != (
            SegmentationDataset.read_labels,
            SegmentationDataset.encode_file,
        ):  # colours, or labels made of several files: what they stand for is the data set's to say
            labels = self.dataset.read_labels(index)
            assert labels is not None  # the sample has a label map
            found.pixels = np.bincount(labels.ravel(), minlength=VALUES)
            return Size(*labels.shape)
        ids = self.dataset.read_ids(label)
        counts = np.bincount(ids.ravel())
        present = np.flatnonzero(counts)
        try:
            self.dataset.label_space.encode(present)
        except UnknownLabelError as error:
            found.unknown = {raw: int(counts[raw]) for raw in error.ids}
            present = np.setdiff1d(present, error.ids)
        found.pixels = np.zeros(VALUES, np.int64)
        labels = self.dataset.label_space.encode(present)
        np.add.at(found.pixels, labels, counts[present])
        ignored = present[labels == self.dataset.label_space.ignore]
        found.ignored = {int(raw): int(counts[raw]) for raw in ignored}
        return Size(*ids.shape)


def _find_unclaimed(opened: Sequence[SegmentationDataset]) -> list[str]:
    """Label maps that belong to no image, among those named and placed like the samples'."""
    claimed = {s.label for dataset in opened for s in dataset.samples if s.label is not None}
    places: set[tuple[Path, str]] = set()
    for dataset in opened:
        for sample in dataset.samples:
            stem = sample.name.rpartition("/")[2]
            if sample.label is not None and sample.label.name.startswith(stem):
                places.add((sample.label.parent, sample.label.name.removeprefix(stem)))
    found = {
        path for folder, ending in places for path in find_files(folder, f"*{glob.escape(ending)}")
    }
    images = {sample.image for dataset in opened for sample in dataset.samples}
    return sorted(str(path) for path in found - claimed - images)
