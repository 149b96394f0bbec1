"""Several splits of a data set as one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from hierseg.data.base import Record, Sample, SegmentationDataset
from hierseg.data.reading import UInt8Array
from hierseg.errors import UsageError

JOINT = "+"
"""What stands between the names of splits that are taken together: ``train+val``."""


class JoinedDataset(SegmentationDataset):
    """Splits one after the other; an image that is in several of them counts once.

    Samples keep their names unless two splits share a name; then every sample is ``SPLIT/NAME``.

    Args:
        parts: Splits of one data set, at least one; each reads its own samples.
    """

    def __init__(self, parts: Sequence[SegmentationDataset]) -> None:
        first = parts[0]
        placed: dict[Path, tuple[SegmentationDataset, int]] = {}
        for part in parts:
            for index, sample in enumerate(part.samples):
                placed.setdefault(sample.image, (part, index))
        names = [part.samples[index].name for part, index in placed.values()]
        is_unique = len(set(names)) == len(names)
        samples: list[Sample] = []
        # By name: taking every n-th sample changes their indices.
        self._places: dict[str, tuple[SegmentationDataset, int]] = {}
        for part, index in placed.values():
            own = part.samples[index]
            name = own.name if is_unique else f"{part.split}/{own.name}"
            samples.append(dataclasses.replace(own, name=name))
            self._places[name] = part, index
        split = JOINT.join(part.split for part in parts)
        super().__init__(first.name, split, first.label_space, samples)
        self._first = first
        self.has_files = first.has_files
        self.ignore_is_assumed = first.ignore_is_assumed
        self.palette, self.statistics = first.palette, first.statistics
        self.label_rule = JOINT.join(dict.fromkeys(part.label_rule for part in parts))
        self.note = ", ".join(dict.fromkeys(part.note for part in parts if part.note))

    def list_files(self, index: int) -> list[Path]:
        """The files of the sample in its own split."""
        part, own = self._find(index)
        return part.list_files(own)

    def read(self, index: int) -> Record:
        """Image and labels of one sample, as its own split reads them."""
        part, own = self._find(index)
        return dataclasses.replace(part.read(own), name=self.samples[index].name)

    def read_labels(self, index: int) -> UInt8Array | None:
        """(H, W) uint8 train ids of one sample, as its own split reads them."""
        part, own = self._find(index)
        return part.read_labels(own)

    def read_ids(self, path: Path) -> npt.NDArray[Any]:
        """(H, W) raw ids of a label map; all splits read them alike."""
        return self._first.read_ids(path)

    def encode_file(self, path: Path) -> UInt8Array:
        """(H, W) uint8 train ids of a label map; all splits read them alike."""
        return self._first.encode_file(path)

    def _find(self, index: int) -> tuple[SegmentationDataset, int]:
        return self._places[self.samples[index].name]


def list_parts(split: str) -> list[str]:
    """``train+val`` to its splits; UsageError where one is empty or named twice."""
    parts = split.split(JOINT)
    if not all(parts) or len(set(parts)) < len(parts):
        raise UsageError(
            f"'{split}' names a split twice, or nothing on one side of a {JOINT}; give, for "
            f"example, train{JOINT}val."
        )
    return parts
