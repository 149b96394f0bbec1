"""What the check of a data set found, as numbers and sentences."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from hierseg.data.datasets.split_names import NEEDED
from hierseg.size import Size
from hierseg.wording import count, count_are


@dataclass
class PairReport:
    """What was found in one pair.

    Attributes:
        name: The sample's name.
        size: Of the image as it is read; None where it cannot be.
        digest: Of the image's pixels; empty where it cannot be read.
        turned: Whether EXIF turns or mirrors the image.
        label: The label map's path, as text; empty where there is none.
        pixels: (256,) int64 pixels by train id; None where the label map cannot be read.
        ignored: Pixels by ids that are ignored, where label maps hold ids.
        unknown: Pixels by ids that belong to no class.
        problems: Sentences that name the file.
    """

    name: str
    size: Size | None = None
    digest: bytes = b""
    turned: bool = False
    label: str = ""
    pixels: npt.NDArray[np.int64] | None = None
    ignored: dict[int, int] = field(default_factory=dict)
    unknown: dict[int, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass
class SplitReport:
    """One split.

    Attributes:
        split: Its name.
        note: How it differs from the standard one of that name.
        names: Names of the classes, by train id.
        images: Pairs that were looked at.
        labelled: Those whose label map can be read.
        sizes: Images by HEIGHTxWIDTH.
        pixels: Pixels by class.
        files: Label maps that have the class.
        ignored: Pixels that do not count.
        ignored_ids: Id that is ignored -> pixels, where label maps hold ids.
        unknown: Id that belongs to no class -> pixels.
        unknown_files: The same -> label maps that hold it.
        turned: Names of images that EXIF turns.
        digests: Digest of an image's pixels -> names.
        problems: What training would stumble over, a sentence each.
    """

    split: str
    note: str
    names: tuple[str, ...]
    images: int = 0
    labelled: int = 0
    sizes: Counter[str] = field(default_factory=Counter)
    pixels: npt.NDArray[np.int64] = field(init=False)
    files: npt.NDArray[np.int64] = field(init=False)
    ignored: int = 0
    ignored_ids: Counter[int] = field(default_factory=Counter)
    unknown: Counter[int] = field(default_factory=Counter)
    unknown_files: defaultdict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    turned: list[str] = field(default_factory=list)
    digests: defaultdict[bytes, list[str]] = field(default_factory=lambda: defaultdict(list))
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pixels = np.zeros(len(self.names), np.int64)
        self.files = np.zeros(len(self.names), np.int64)

    def add(self, pair: PairReport, ignore: int) -> None:
        """Count one pair."""
        self.images += 1
        if pair.size is not None:
            self.sizes[str(pair.size)] += 1
            self.digests[pair.digest].append(pair.name)
        if pair.turned:
            self.turned.append(pair.name)
        if pair.pixels is not None:
            self.labelled += 1
            counts = pair.pixels[: len(self.names)]
            self.pixels += counts
            self.files += counts > 0
            self.ignored += int(pair.pixels[ignore])
        self.ignored_ids.update(pair.ignored)
        for raw, pixels in pair.unknown.items():
            self.unknown[raw] += pixels
            self.unknown_files[raw].append(pair.label)
        self.problems += pair.problems

    def list_problems(self) -> list[str]:
        """All problems; ids that belong to no class last."""
        ids = [
            f"label id {raw} belongs to no class: {count(pixels, 'pixel')} in "
            f"{count(len(self.unknown_files[raw]), 'file')}, the first "
            f"'{self.unknown_files[raw][0]}'."
            for raw, pixels in sorted(self.unknown.items())
        ]
        found = [*self.problems, *ids]
        if self.labelled and not self.pixels.any():
            found.append("no label map has a pixel of any class.")
        if self.split in NEEDED and self.images and not self.labelled and not found:
            found.append("no image has a label map; check where the data set's label maps are.")
        return found

    def list_warnings(self) -> list[str]:
        """What the user should know, though training works."""
        warnings = []
        if self.labelled:
            absent = [n for n, count in zip(self.names, self.pixels, strict=True) if not count]
            if absent:
                warnings.append(f"classes without pixels: {', '.join(absent)}.")
        if self.turned:
            warnings.append(
                f"EXIF turns {count(len(self.turned), 'image')}, the first {self.turned[0]}; check "
                "that label maps were drawn on the turned image."
            )
        repeated = [names for names in self.digests.values() if len(names) > 1]
        if repeated:
            warnings.append(
                f"{count_are(len(repeated), 'image')} there more than once, such as "
                f"{' = '.join(repeated[0])}."
            )
        return warnings

    def to_json(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return {
            "split": self.split,
            "note": self.note,
            "images": self.images,
            "labelled": self.labelled,
            "sizes": dict(self.sizes.most_common()),
            "classes": [
                {"name": name, "pixels": int(pixels), "files": int(files)}
                for name, pixels, files in zip(self.names, self.pixels, self.files, strict=True)
            ],
            "ignored_pixels": self.ignored,
            "unknown_ids": [
                {"id": raw, "pixels": count, "files": self.unknown_files[raw]}
                for raw, count in sorted(self.unknown.items())
            ],
            "turned_by_exif": self.turned,
            "problems": self.list_problems(),
            "warnings": self.list_warnings(),
        }


@dataclass
class CheckReport:
    """A whole data set.

    Attributes:
        name: Name of the data set, or the file that describes it.
        splits: Those that could be opened.
        problems: Why the others could not.
        unclaimed: Label maps without an image.
        is_complete: Whether the check came to its end.
    """

    name: str
    splits: list[SplitReport] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unclaimed: list[str] = field(default_factory=list)
    is_complete: bool = False

    def add_problem(self, sentence: str) -> None:
        """Add a problem, once: an unreadable description is the same problem in all splits."""
        if sentence not in self.problems:
            self.problems.append(sentence)

    @property
    def would_go_wrong(self) -> bool:
        """Whether training would stop, sooner or later."""
        return bool(self.problems) or any(split.list_problems() for split in self.splits)

    def list_shared(self) -> list[tuple[str, str]]:
        """Images that are in two splits, each as SPLIT/NAME."""
        first: dict[bytes, str] = {}
        shared = []
        for split in self.splits:
            here = {digest: f"{split.split}/{names[0]}" for digest, names in split.digests.items()}
            shared += [(first[digest], name) for digest, name in here.items() if digest in first]
            first = here | first
        return shared

    def list_warnings(self) -> list[str]:
        """Warnings that concern no single split."""
        warnings = []
        shared = self.list_shared()
        if shared:
            warnings.append(
                f"{count_are(len(shared), 'image')} in two splits, such as "
                f"{' = '.join(shared[0])}: figures then include images that were trained on."
            )
        if self.unclaimed:
            warnings.append(
                f"{count(len(self.unclaimed), 'label map')} without an image, the first "
                f"'{self.unclaimed[0]}'."
            )
        return warnings

    def to_json(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return {
            "data": self.name,
            "is_complete": self.is_complete,
            "would_go_wrong": self.would_go_wrong,
            "splits": [split.to_json() for split in self.splits],
            "problems": self.problems,
            "warnings": self.list_warnings(),
            "images_in_two_splits": [list(pair) for pair in self.list_shared()],
            "label_maps_without_image": self.unclaimed,
        }
