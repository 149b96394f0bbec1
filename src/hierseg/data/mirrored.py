"""A split whose files are at a URL; each file is fetched when it is read."""

from __future__ import annotations

from pathlib import Path

from hierseg.data.base import Record, SegmentationDataset
from hierseg.data.reading import UInt8Array
from hierseg.urls import Mirrors


class MirroredDataset(SegmentationDataset):
    """A split that was opened in a local folder which stands for one at a URL.

    Args:
        dataset: The split.
        mirrors: The local folders of the URLs that its files are at.
    """

    def __init__(self, dataset: SegmentationDataset, mirrors: Mirrors) -> None:
        super().__init__(dataset.name, dataset.split, dataset.label_space, dataset.samples)
        self.dataset, self.mirrors = dataset, mirrors
        self.has_files = dataset.has_files
        self.ignore_is_assumed = dataset.ignore_is_assumed
        self.boosted_classes, self.label_rule = dataset.boosted_classes, dataset.label_rule
        self.palette, self.counted_at = dataset.palette, dataset.counted_at
        self.statistics, self.note = dataset.statistics, dataset.note

    def list_files(self, index: int) -> list[Path]:
        """The files of the split itself."""
        return self.dataset.list_files(index)

    def read(self, index: int) -> Record:
        """The sample; UserError if it cannot be fetched."""
        with self.mirrors.having(*self.list_files(index)):
            return self.dataset.read(index)

    def read_labels(self, index: int) -> UInt8Array | None:
        """The labels of the split itself; UserError if they cannot be fetched."""
        with self.mirrors.having(self.samples[index].label):
            return self.dataset.read_labels(index)


def fetch_as_read(dataset: SegmentationDataset, mirrors: Mirrors) -> SegmentationDataset:
    """The split; if its files are at a URL, they are fetched when they are read."""
    return MirroredDataset(dataset, mirrors) if mirrors.sources else dataset
