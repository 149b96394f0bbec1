"""Which images a prediction is asked for: files, folders (with all that is below), globs."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from hierseg.errors import UsageError

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jfif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm"}
    | {".tif", ".tiff", ".webp"}
)
"""What counts as an image in a folder; a file that is named outright may have any suffix."""


def find_images(sources: Sequence[str | Path], exclude: Path | None = None) -> list[Path]:
    """List the images that sources stand for, each file once, in the order of the sources.

    Files in a folder are told by their suffix alone: whether they can be read shows when they are.

    Args:
        sources: Files, folders (searched recursively, hidden entries left out), globs (``**``
            reaches into subfolders).
        exclude: A folder to leave out of a search; the outputs' folder may lie within a source.

    Raises:
        UsageError: A source does not exist, matches nothing or holds no image, or is ``exclude``.
    """
    if not sources:
        raise UsageError("name at least one image, folder or glob to segment.")
    skip = None if exclude is None else exclude.resolve()
    images: dict[str, Path] = {}  # by absolute path; links are not followed: they are files too
    for source in sources:
        for image in _images_of(str(source), skip):
            images.setdefault(os.path.abspath(image), image)  # noqa: PTH100
    return list(images.values())


def expand_user(source: str) -> Path:
    """A path with ``~`` and ``~name`` as the folders that they stand for; as it is where nobody is
    called so, as editors' ``~$notes.jpg``.
    """
    try:
        return Path(source).expanduser()
    except RuntimeError:
        return Path(source)


def _images_of(source: str, skip: Path | None) -> list[Path]:
    path = expand_user(source)
    if path.is_dir():
        if skip is not None and path.resolve() == skip:
            raise UsageError(f"{source} is the folder of the outputs too; choose another --out.")
        found = sorted(_walk(path, skip))
        if not found:
            raise UsageError(
                f"{source} holds no images; hierseg looks for {', '.join(sorted(IMAGE_SUFFIXES))}."
            )
        return found
    if os.path.lexists(path):  # a broken link exists: it is reported when it is read
        return [path]
    if glob.has_magic(source):
        matched = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - Path.glob wants a root
        found = [image for match in matched for image in _images_of_match(Path(match), skip)]
        if not found:
            raise UsageError(f"no image matches {source}; check the pattern.")
        return found
    raise UsageError(f"{source} does not exist; check the path.")


def _images_of_match(path: Path, skip: Path | None) -> list[Path]:
    """A glob may match folders (their images count) and outputs of an earlier run (they do not)."""
    if path.is_dir():
        return sorted(_walk(path, skip))
    inside = skip is not None and skip in path.resolve().parents
    return [] if inside or path.suffix.lower() not in IMAGE_SUFFIXES else [path]


def _walk(folder: Path, skip: Path | None) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        here = Path(parent)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and (skip is None or (here / name).resolve() != skip)
        ]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES:
                yield here / name
