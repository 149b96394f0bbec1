"""The files of a folder by what they may be: images, label files and texts; splits by folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hierseg.data.endings import IMAGE_ENDINGS
from hierseg.errors import UserError
from hierseg.files import refuse_unreadable, walk_files
from hierseg.wording import count

TEXTS = frozenset((".txt", ".json", ".yaml", ".yml", ".csv", ".names", ".xml"))
MOST_FILES = 1_000_000
"""Files of a folder that is looked at: a slip names a whole disk."""
SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "dev": "val", "test": "test", "testing": "test",
}  # fmt: skip
"""Names of folders and lists -> the split that they mean."""


@dataclass(frozen=True)
class Listing:
    """What lies in a folder.

    Attributes:
        root: The folder.
        pictures: Paths of pictures relative to it, in order.
        texts: Paths of small text files relative to it.
    """

    root: Path
    pictures: tuple[PurePosixPath, ...]
    texts: tuple[PurePosixPath, ...]


@dataclass(frozen=True)
class Entry:
    """An image and its label map.

    Attributes:
        image: The image file.
        label: Its label map; None while that is still to be drawn.
        split: The split that the layout names; empty where it names none.
    """

    image: Path
    label: Path | None
    split: str = ""


def list_folder(root: Path) -> Listing:
    """The files of a folder; UserError where there is none, or nothing that is a picture."""
    if not root.is_dir():
        what = "is a file" if root.exists() else "is not there"
        raise UserError(f"'{root}' {what}; name the folder that holds your images and masks.")
    pictures, texts = [], []
    for number, path in enumerate(walk_files(root, refuse_unreadable, _is_data)):
        if number >= MOST_FILES:
            raise UserError(
                f"'{root}' holds more than {MOST_FILES:,} files; name the folder of the data alone."
            )
        suffix = path.suffix.lower()
        if suffix in IMAGE_ENDINGS:
            pictures.append(PurePosixPath(path.relative_to(root).as_posix()))
        elif suffix in TEXTS:
            texts.append(PurePosixPath(path.relative_to(root).as_posix()))
    if not pictures:
        raise UserError(
            f"'{root}' holds no pictures; put images into images/ and their masks, PNG files of "
            "the same names, into masks/."
        )
    return Listing(root, tuple(pictures), tuple(texts))


class ImagePlaces:
    """Where images lie that a file names: by the path that it gives, or by their names alone."""

    def __init__(self, listing: Listing) -> None:
        self._root, self._known = listing.root, set(listing.pictures)
        self._by_name: dict[str, list[PurePosixPath]] = {}
        for path in listing.pictures:
            self._by_name.setdefault(path.name, []).append(path)

    def find(self, name: str, beside: PurePosixPath) -> Path | None:
        """The image that a file in the folder ``beside`` calls so; None where there is none."""
        path = PurePosixPath(name.replace("\\", "/"))
        for folder in (beside, beside / "images", PurePosixPath("."), PurePosixPath("images")):
            if folder / path in self._known:
                return self._root / folder / path
        found = self._by_name.get(path.name, [])
        return self._root / found[0] if len(found) == 1 else None


def find_split(parts: tuple[str, ...] | list[str]) -> str:
    """The split that a path's folders name, the last that does; empty where none does."""
    for part in reversed(parts):
        name = part.lower()
        for ending in ("annot", "_labels", "_masks", "_images", "2017", "2014"):
            name = name.removesuffix(ending)
        if name in SPLITS:
            return SPLITS[name]
    return ""


def describe_unpaired(images: list[PurePosixPath], what: str = "mask") -> list[str]:
    """A sentence about images that are left out, where there are any."""
    if not images:
        return []
    return [f"{count(len(images), 'image')} without a {what} left out, the first '{images[0]}'."]


def _is_data(folder: Path) -> bool:
    """Whether to look into a folder: not into those of programs, or that hierseg has written."""
    if folder.name in ("__MACOSX", "node_modules", "SegmentationObject"):
        return False
    return not any(folder.glob(".hierseg*")) and not any(
        (folder / name).is_file() for name in ("finetune.json", "run.json")
    )
