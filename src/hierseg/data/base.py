"""The base of all data sets: samples found by a layout, read and remapped to train ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy.typing as npt

from hierseg.data.archive import find_files, is_file, is_folder
from hierseg.data.checking.headers import Header, describe_mismatch
from hierseg.data.label_numbers import Palette
from hierseg.data.reading import (
    DataError,
    UInt8Array,
    is_turned_by_exif,
    read_dataset_image,
    read_label_ids,
)
from hierseg.errors import UsageError, UserError, shorten
from hierseg.labels import LabelSpace, UnknownLabelError
from hierseg.size import Size
from hierseg.wording import count

MOST_SHOWN = 20
"""Names that a sentence lists."""
ROOT_FLAG = "--root (--data.root in training)"


class Statistics(NamedTuple):
    """Mean and standard deviation of RGB in [0, 1], three numbers each."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Sample:
    """Where one image and its label map are.

    Attributes:
        name: Unique in its split; relative paths with "/" where images lie in folders.
        image: The image file.
        label: The label map file, None where the split has none.
    """

    name: str
    image: Path
    label: Path | None = None


@dataclass(frozen=True, eq=False)
class Record:
    """A sample that was read.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) uint8 train ids or ignore; None where the split has no labels.
        name: The sample's name.
    """

    image: UInt8Array
    labels: UInt8Array | None
    name: str


class SegmentationDataset:
    """One split of a data set.

    Args:
        name: Name of the data set in the catalogue.
        split: Name of the split.
        label_space: Raw ids of the label files against train ids.
        samples: At least one.

    Attributes:
        boosted_classes: For an extra source: train ids of the classes that crops of it are taken
            for; None for all.
        has_files: Whether its images and labels are read from files.
        ignore_is_assumed: Whether a description leaves open which raw ids are ignored, so that the
            default is used.
        palette: How to read label maps with a palette of greys; None decides by the ids that the
            label space knows.
        label_rule: What train ids depend on besides the files and the label space, such as a
            threshold. A cached index of labels is used only under the rule that it was made with.
        note: How the split differs from the standard one of that name; every result repeats it.
            Empty for a standard split.
        statistics: Mean and standard deviation for networks trained on it; None for those of the
            trunk's pretrained weights.
        counted_at: Size at which pixels are counted: the label map's, or that of the run.
    """

    boosted_classes: frozenset[int] | None = None
    has_files: bool = True
    ignore_is_assumed: bool = False
    palette: Palette | None = None
    label_rule: str = ""
    note: str = ""
    statistics: Statistics | None = None
    counted_at: Literal["label", "run"] = "label"

    def __init__(
        self, name: str, split: str, label_space: LabelSpace, samples: Sequence[Sample]
    ) -> None:
        self.name = name
        self.split = split
        self.label_space = label_space
        self.samples = list(samples)

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def has_labels(self) -> bool:
        """Whether every sample has a label map."""
        return all(sample.label is not None for sample in self.samples)

    def list_files(self, index: int) -> list[Path]:
        """All files that a sample is read from."""
        sample = self.samples[index]
        return [sample.image] if sample.label is None else [sample.image, sample.label]

    def read(self, index: int) -> Record:
        """Image and labels of one sample.

        Raises:
            DataError: A file is unreadable, image and label map differ in size, or the label map
                has unknown ids; the message names the file.
        """
        sample = self.samples[index]
        image = read_dataset_image(sample.image)
        labels = self.read_labels(index)
        if labels is not None and labels.shape != image.shape[:2]:
            header = Header(Size(*image.shape[:2]), is_turned_by_exif(sample.image))
            size = Size(*labels.shape)
            raise DataError(describe_mismatch(sample.image, header, sample.label, size))
        return Record(image, labels, sample.name)

    def read_labels(self, index: int) -> UInt8Array | None:
        """(H, W) uint8 train ids of one sample, without its image; DataError as in ``read``."""
        path = self.samples[index].label
        return None if path is None else self.encode_file(path)

    def read_ids(self, path: Path) -> npt.NDArray[Any]:
        """(H, W) raw ids of a label map; DataError as in ``read``."""
        return read_label_ids(path, self.label_space.known_raw_ids, self.palette)

    def encode_file(self, path: Path) -> UInt8Array:
        """(H, W) uint8 train ids of a label map; DataError names it and ids of no class."""
        try:
            return self.label_space.encode(self.read_ids(path))
        except UnknownLabelError as error:
            said = str(error).rstrip(".")
            raise DataError(
                f"'{path}' cannot be used: {said}; `hierseg check` lists all such ids."
            ) from error


def require_root(name: str, root: Path | None, layout: str) -> Path:
    """The data set's folder; UserError names the flag and the expected layout if it is none."""
    if root is None:
        raise UsageError(f"{name} needs its folder; give as {ROOT_FLAG} the one that has {layout}.")
    if not root.is_dir():
        raise UserError(
            f"'{root}' is not a folder; give as {ROOT_FLAG} the one of {name}, which has {layout}."
        )
    return root


def require_split(name: str, split: str, splits: Sequence[str]) -> None:
    """UsageError, which names the existing splits, if ``split`` is none of them."""
    if split not in splits:
        there = ", ".join(map(shorten, splits[:MOST_SHOWN]))
        raise UsageError(f"{name} has no split '{split}'; it has {there}.")


def require_samples(
    name: str, root: Path, split: str, samples: Sequence[Sample], layout: str
) -> None:
    """UserError, which names the flag and the expected layout, if there are no samples."""
    if not samples:
        raise UserError(
            f"split '{split}' of {name} has no images under '{root}'; {ROOT_FLAG} expects {layout}."
        )


def first_folder(root: Path, *candidates: str) -> Path:
    """The first of several places below ``root`` that exists, in a zip archive too; if none does,
    the first of all.
    """
    places = [root / candidate for candidate in candidates]
    return next((place for place in places if is_folder(place)), places[0])


def find_named(folder: Path, pattern: str, ending: str) -> list[tuple[str, Path]]:
    """Files of a glob by their names without ``ending``, sorted by path."""
    return [(path.name.removesuffix(ending), path) for path in find_files(folder, pattern)]


def pair_with_labels(
    images: Sequence[tuple[str, Path]], label_of: Callable[[str, Path], Path | None]
) -> list[Sample]:
    """Samples of named images, each with the label map that ``label_of(name, image)`` points at.

    Missing label maps are no error here: ``open_dataset`` refuses them by ``require_labels``, but
    the check of a data set needs those samples, too.
    """
    return [Sample(name, image, label_of(name, image)) for name, image in images]


def list_missing(samples: Sequence[Sample]) -> list[Sample]:
    """The samples whose label map is not there."""
    return [s for s in samples if s.label is not None and not is_file(s.label)]


def require_labels(samples: Sequence[Sample]) -> None:
    """UserError if label maps are missing: how many, and the first."""
    missing = list_missing(samples)
    if missing:
        first, verb = missing[0], "has" if len(missing) == 1 else "have"
        raise UserError(
            f"{len(missing)} of {count(len(samples), 'image')} {verb} no label map: "
            f"'{first.image}' needs '{first.label}'."
        )
