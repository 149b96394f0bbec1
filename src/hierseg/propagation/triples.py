"""Finds clips, folders of frames or videos, and reads three successive frames of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from hierseg.data import read_dataset_image, tell
from hierseg.errors import UsageError, UserError
from hierseg.files import refuse_unreadable, walk_files
from hierseg.flow import CITYSCAPES, Image, Pair
from hierseg.media import Clip as Part
from hierseg.media import Video

SEQUENCES = "leftImg8bit_sequence"
"""The folder of Cityscapes' clips; the data set's other folders hold no successive frames."""
LENGTH = 3
_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)


class Triple(NamedTuple):
    """Three successive frames of a clip.

    Attributes:
        clip: Index of the clip.
        start: Index of the first frame in the clip.
    """

    clip: int
    start: int


class Frames(NamedTuple):
    """Three frames in order, and their names.

    Attributes:
        before: (H, W, 3) uint8 RGB.
        source: The next frame.
        target: The frame after that, which is predicted from the source.
        where: The names, by which flow files are found.
    """

    before: Image
    source: Image
    target: Image
    where: Pair


class FrameClip:
    """Images of a folder, numbered without a gap.

    Args:
        name: Name for messages.
        paths: The images in order.
        root: The folder to which names are relative.
    """

    def __init__(self, name: str, paths: Sequence[Path], root: Path) -> None:
        self.name, self._paths, self._root = name, list(paths), root
        self.length = len(self._paths)

    def read(self, start: int) -> tuple[list[Image], list[str]]:
        """Three frames and their names; DataError if one cannot be read."""
        paths = self._paths[start : start + LENGTH]
        names = [path.relative_to(self._root).with_suffix("").as_posix() for path in paths]
        return [read_dataset_image(path) for path in paths], names


class VideoClip:
    """A video file; its frames are found by their time.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.name, self._path = str(path), path

    @cached_property
    def _video(self) -> Video:
        return Video(self._path)

    @cached_property
    def length(self) -> int:
        """Approximate number of frames; at most 100 for a video that does not state it."""
        count = self._video.count(Part())
        if count is not None:
            return count
        with closing(self._video.frames(Part())) as frames:  # type: ignore[type-var]
            return sum(1 for _, _ in zip(range(100), frames, strict=False))

    def read(self, start: int) -> tuple[list[Image], list[str]]:
        """Three frames and their names. If fewer are left at ``start``, the first three are read.

        Raises:
            UserError: The video has fewer than three frames that can be read.
        """
        for place in (start, 0):
            begin = max(0.0, (place - 0.5) / float(self._video.rate))
            with closing(self._video.frames(Part(start=begin))) as frames:  # type: ignore[type-var]
                found = [frame for _, frame in zip(range(LENGTH), frames, strict=False)]
            if len(found) == LENGTH:
                names = [f"{self._video.name}/{frame.index:06d}" for frame in found]
                return [frame.pixels for frame in found], names
        raise UserError(f"{self._path} has fewer than {LENGTH} frames that can be read.")


Source = FrameClip | VideoClip


@dataclass(frozen=True)
class Clips:
    """The clips of a tree.

    Attributes:
        sources: Clips of three frames or more.
        root: The folder to which names of frames are relative.
    """

    sources: tuple[Source, ...]
    root: Path

    def read(self, triple: Triple, backwards: bool = False) -> Frames:
        """The frames of a triple, in reverse order if ``backwards``.

        Raises:
            UserError: A frame cannot be read, or the three have different sizes.
        """
        source = self.sources[triple.clip]
        images, names = source.read(triple.start)
        if len({image.shape for image in images}) > 1:
            raise UserError(
                f"frames of {names[0]} and the two after it have different sizes; give the frames "
                "of a clip one size."
            )
        if backwards:
            images, names = images[::-1], names[::-1]
        before, between, target = images
        return Frames(before, between, target, Pair(names[1], names[2], names[0]))

    def list_triples(self) -> list[Triple]:
        """All triples, in the order of the clips."""
        return [
            Triple(place, start)
            for place, source in enumerate(self.sources)
            for start in range(source.length - LENGTH + 1)
        ]


def find_clips(root: Path, split: str | None = None, flag: str = "--data.root") -> Clips:
    """Find the clips below a folder.

    The images of a folder are one clip or several: another clip begins where names differ in more
    than their last number, or where a number is missing. Images without numbers are in the order of
    their names. A video is a clip, too.

    Args:
        root: The folder. Of a data set in Cityscapes' layout, ``leftImg8bit_sequence`` is searched.
        split: The subfolder to search, if it exists; None for all.
        flag: Name of the setting in errors.

    Raises:
        UsageError: The folder does not exist, or holds no clip of three frames or more.
        UserError: A subfolder cannot be listed.
    """
    if not root.is_dir():
        raise UsageError(f"{flag}: the folder {root} does not exist; check the path.")
    folder = root / SEQUENCES if (root / SEQUENCES).is_dir() else root
    searched = folder / split if split is not None and (folder / split).is_dir() else folder
    pictures: dict[Path, list[Path]] = {}
    sources: list[Source] = []
    for path in walk_files(searched, refuse_unreadable):
        looks = tell(path)
        if looks is None or looks.reason:
            continue
        if looks.kind == "video":
            sources.append(VideoClip(path))
        else:
            pictures.setdefault(path.parent, []).append(path)
    for parent, paths in sorted(pictures.items()):
        for run in _split_runs(paths):
            sources.append(FrameClip(f"{parent}/{run[0].name}", run, folder))
    kept = tuple(source for source in sources if source.length >= LENGTH)
    if not kept:
        raise UsageError(
            f"{flag}: {searched} holds no clip of {LENGTH} frames or more; name a folder with "
            "frames or videos."
        )
    return Clips(kept, folder)


def has_splits(root: Path) -> bool:
    """Whether a folder in Cityscapes' layout has clips for training and for validation."""
    return all((root / SEQUENCES / split).is_dir() for split in ("train", "val"))


def _split_runs(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Divide the images of a folder into clips, each in order."""
    series: dict[tuple[str, str], dict[int, Path]] = {}
    for path in paths:
        key = _key(path)
        if key is None or key[1] in series.get(key[0], {}):
            yield sorted(paths)
            return
        series.setdefault(key[0], {})[key[1]] = path
    for numbered in series.values():
        yield from _split_gaps(numbered)


def _key(path: Path) -> tuple[tuple[str, str], int] | None:
    """The parts of a name around its last number, and the number."""
    matched = _NUMBERED.fullmatch(path.stem.removesuffix(CITYSCAPES))
    return None if matched is None else ((matched[1], matched[3]), int(matched[2]))


def _split_gaps(numbered: dict[int, Path]) -> Iterator[list[Path]]:
    numbers = sorted(numbered)
    gaps = Counter(second - first for first, second in pairwise(numbers))
    usual = min(gaps, key=lambda gap: (-gaps[gap], gap)) if gaps else 1
    run: list[Path] = []
    for place, number in enumerate(numbers):
        if run and number - numbers[place - 1] != usual:
            yield run
            run = []
        run.append(numbered[number])
    yield run
