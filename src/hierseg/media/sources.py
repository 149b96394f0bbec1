"""Which images a prediction is asked for: files, folders (with all that is below), globs."""

from __future__ import annotations

import fnmatch
import glob
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hierseg.data import tell
from hierseg.errors import UsageError, reason_of
from hierseg.files import walk_files

ANY_FOLDERS = "**"


@dataclass
class Sources:
    """What sources stand for.

    Attributes:
        images: Files to segment.
        left_out: Clips, pictures of a kind that is not read, and folders that cannot be listed,
            each with the reason and the cure.
        within_outputs: How many more files there are that look like images but lie in the
            outputs' folder.
    """

    images: list[Path] = field(default_factory=list)
    left_out: dict[Path, str] = field(default_factory=dict)
    within_outputs: int = 0

    def take(self, path: Path) -> None:
        """A file that was searched for: what looks like an image is one; what looks like nothing
        that is segmented is passed over.
        """
        looks = tell(path)
        if looks is None:
            return
        if looks.reason:
            self.left_out[path] = looks.reason
        elif looks.kind == "video":
            command = f"hierseg predict {shlex.quote(str(path))} --out FOLDER"
            self.left_out[path] = f"a video, which is segmented by itself: `{command}`"
        else:
            self.images.append(path)

    def leave(self, folder: Path, error: OSError) -> None:
        """A folder that cannot be listed."""
        self.left_out[folder] = f"what is in this folder is left out: {reason_of(error)}"

    def describe(self) -> str:
        """What was found, for the user."""
        found = f"{len(self.images)} image{'' if len(self.images) == 1 else 's'} found"
        return f"{found}, {len(self.left_out)} left out" if self.left_out else found


def find_images(sources: Sequence[str | Path], exclude: Path | None = None) -> list[Path]:
    """The images that sources stand for; see ``find_sources``."""
    return find_sources(sources, exclude).images


def find_sources(sources: Sequence[str | Path], exclude: Path | None = None) -> Sources:
    """List what sources stand for, each file once, in the order of the sources.

    Files in a folder are told by their suffix, else by their first bytes: whether they can be read
    shows when they are. A file that is named outright may be called anything.

    Args:
        sources: Files, folders (searched recursively, links followed, hidden entries left out),
            globs (``**`` reaches into subfolders).
        exclude: A folder to leave out of a search; the outputs' folder may lie within a source.

    Raises:
        UsageError: A source does not exist, matches nothing or holds no image, or is ``exclude``.
    """
    if not sources:
        raise UsageError("name at least one image, folder or glob to segment.")
    skip = None if exclude is None else exclude.resolve()
    found = Sources()
    for source in sources:
        one = _look_at(str(source), skip)
        if not one.images:
            raise UsageError(_why_nothing(str(source), one))
        found.images += one.images
        found.left_out |= one.left_out
    unique: dict[str, Path] = {}  # by absolute path; a link to an image is an image too
    for image in found.images:
        unique.setdefault(os.path.abspath(image), image)  # noqa: PTH100
    found.images = list(unique.values())
    return found


def expand_user(source: str) -> Path:
    """A path with ``~`` and ``~name`` as the folders that they stand for; as it is where nobody is
    called so, as editors' ``~$notes.jpg``.
    """
    try:
        return Path(source).expanduser()
    except RuntimeError:
        return Path(source)


def _look_at(source: str, skip: Path | None) -> Sources:
    path = expand_user(source)
    found = Sources()
    if path.is_dir():
        if skip is not None and path.resolve() == skip:
            raise UsageError(f"{source} is the folder of the outputs too; choose another --out.")
        for file in sorted(_walk(path, skip, found)):
            found.take(file)
    elif os.path.lexists(path):  # a broken link exists: it is reported when it is read
        found.images.append(path)
    elif glob.has_magic(source):
        for match in _match(str(path), skip, found):
            inside = skip is not None and skip in match.resolve().parents
            if match.is_dir():
                for file in sorted(_walk(match, skip, found)):
                    found.take(file)
            elif inside:
                found.within_outputs += tell(match) is not None
            else:
                found.take(match)
    else:
        raise UsageError(f"{source} does not exist; check the path.")
    return found


def _why_nothing(source: str, found: Sources) -> str:
    """Why a source gives no image."""
    if found.left_out:
        path, reason = next(iter(found.left_out.items()))
        return f"{source} gives no image that is read. {path}: {reason}."
    if found.within_outputs:
        return (
            f"what {source} matches lies in the folder of the outputs, where it may be of an "
            "earlier run; choose another --out, or name the images one by one."
        )
    if expand_user(source).is_dir():
        return f"{source} holds no images; name a folder of images, or of folders with images."
    return f"no image matches {source}; check the pattern."


def _walk(folder: Path, skip: Path | None, found: Sources) -> Iterator[Path]:
    """The files below a folder, those that are hidden and the outputs left out."""
    return walk_files(
        folder, found.leave, enter=lambda below: skip is None or below.resolve() != skip
    )


def _match(pattern: str, skip: Path | None, found: Sources) -> list[Path]:
    """What a glob matches, in order. Below ``**`` that is files alone, those of folders that match
    among them: `glob` would follow links in a circle.
    """
    parts = Path(pattern).parts
    if parts.count(ANY_FOLDERS) != 1:
        return [Path(match) for match in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207
    place = parts.index(ANY_FOLDERS)
    base, rest = str(Path(*parts[:place])), parts[place + 1 :]
    return [
        file
        for folder in sorted(glob.glob(base))  # noqa: PTH207 - Path.glob wants a root
        for file in sorted(_walk(Path(folder), skip, found))
        if _lies_in_match(file.relative_to(folder).parts, rest)
    ]


def _lies_in_match(path: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a path, or a folder above it, ends with names that match."""
    return any(
        all(map(fnmatch.fnmatchcase, path[end - len(names) : end], names))
        for end in range(len(names), len(path) + 1)
    )
