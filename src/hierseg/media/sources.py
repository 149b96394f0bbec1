"""Finds the images that sources name: files, folders (searched recursively) and globs."""

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
from hierseg.wording import count

ANY_FOLDERS = "**"


@dataclass
class Sources:
    """The files that were found for sources.

    Attributes:
        images: Images to segment.
        left_out: Videos, images of kinds that cannot be read, and folders that cannot be listed ->
            the reason and the cure.
        within_outputs: Number of further files that look like images but lie in the outputs'
            folder.
    """

    images: list[Path] = field(default_factory=list)
    left_out: dict[Path, str] = field(default_factory=dict)
    within_outputs: int = 0

    def take(self, path: Path) -> None:
        """Sort a file that a search found by its name or first bytes; files that are neither images
        nor videos are skipped.
        """
        looks = tell(path)
        if looks is None:
            return
        if looks.reason:
            self.left_out[path] = looks.reason
        elif looks.kind == "video":
            command = f"hierseg predict {shlex.quote(str(path))} --out FOLDER"
            self.left_out[path] = f"a video, which needs a command of its own: `{command}`"
        else:
            self.images.append(path)

    def leave(self, folder: Path, error: OSError) -> None:
        """Note a folder that cannot be listed."""
        self.left_out[folder] = f"the files in this folder are left out: {reason_of(error)}"

    def describe(self) -> str:
        """What was found, in words."""
        found = f"{count(len(self.images), 'image')} found"
        return f"{found}, {len(self.left_out)} left out" if self.left_out else found


def find_images(sources: Sequence[str | Path], exclude: Path | None = None) -> list[Path]:
    """The images that sources name; see ``find_sources``."""
    return find_sources(sources, exclude).images


def find_sources(sources: Sequence[str | Path], exclude: Path | None = None) -> Sources:
    """Find the images that sources name, each file once, in the order of the sources.

    In a folder, images are recognised by their suffix, else by their first bytes; whether they can
    be read is found out later. A file that is named itself may have any name.

    Args:
        sources: Files, folders (searched recursively, with links, without hidden entries), and
            globs (``**`` matches subfolders).
        exclude: A folder that searches leave out, such as an outputs' folder within a source.

    Raises:
        UsageError: A source does not exist, matches nothing, holds no image, or is ``exclude``.
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
    """A path with ``~`` and ``~name`` expanded; unchanged if there is no such user, as in the names
    of editors' lock files, ``~$notes.jpg``.
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
    """Why a source yields no image."""
    if found.left_out:
        path, reason = next(iter(found.left_out.items()))
        return f"{source} has no image that can be read. {path}: {reason}."
    if found.within_outputs:
        return (
            f"the files that {source} matches lie in the folder of the outputs, and may come from "
            "an earlier run; choose another --out, or name the images one by one."
        )
    if expand_user(source).is_dir():
        return f"{source} holds no images; name a folder of images, or of folders with images."
    return f"no image matches {source}; check the pattern."


def _walk(folder: Path, skip: Path | None, found: Sources) -> Iterator[Path]:
    """The files below a folder, without hidden ones and the outputs."""
    return walk_files(
        folder, found.leave, enter=lambda below: skip is None or below.resolve() != skip
    )


def _match(pattern: str, skip: Path | None, found: Sources) -> list[Path]:
    """The sorted matches of a glob. For ``**`` only files are listed, with those below matching
    folders, since `glob` would follow circular links.
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
    """Whether the last parts of a path, or of a folder above it, match these names."""
    return any(
        all(map(fnmatch.fnmatchcase, path[end - len(names) : end], names))
        for end in range(len(names), len(path) + 1)
    )
