"""Three frames in a row out of any tree of clips: folders of frames, and videos."""

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
"""The folder of Cityscapes' clips beside others of the set, whose pictures are no frames."""
LENGTH = 3
_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)


class Triple(NamedTuple):
    """Three frames in a row.

    Attributes:
        clip: Place of their clip among the clips.
        start: Place of the first frame in the clip.
    """

    clip: int
    start: int


class Frames(NamedTuple):
    """Three frames in the order in which they are seen, and their names.

    Attributes:
        before: (H, W, 3) uint8 RGB.
        source: The frame after it.
        target: The frame after that, which is made of the source.
        where: The names, as files of flow have them.
    """

    before: Image
    source: Image
    target: Image
    where: Pair


class FrameClip:
    """Images of a folder, numbered without a gap.

    Args:
        name: For sentences.
        paths: The images in order.
        root: The folder that names are relative to.
    """

    def __init__(self, name: str, paths: Sequence[Path], root: Path) -> None:
        self.name, self._paths, self._root = name, list(paths), root
        self.length = len(self._paths)

    def read(self, start: int) -> tuple[list[Image], list[str]]:
        """Three frames and their names; DataError where one cannot be read."""
        paths = self._paths[start : start + LENGTH]
        names = [path.relative_to(self._root).with_suffix("").as_posix() for path in paths]
        return [read_dataset_image(path) for path in paths], names


class VideoClip:
    """A video file, whose frames are sought by their time.

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
        """Frames, nearly; of a video that does not say, those of its first hundred."""
        count = self._video.count(Part())
        if count is not None:
            return count
        with closing(self._video.frames(Part())) as frames:  # type: ignore[type-var]
            return sum(1 for _, _ in zip(range(100), frames, strict=False))

    def read(self, start: int) -> tuple[list[Image], list[str]]:
        """Three frames and their names; those at the beginning where there are fewer at the place,
        and UserError where there are none.
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
        root: The folder that frames are named from.
    """

    sources: tuple[Source, ...]
    root: Path

    def read(self, triple: Triple, backwards: bool = False) -> Frames:
        """The frames of a triple, backwards in time on request.

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
        """All triples, clip by clip."""
        return [
            Triple(place, start)
            for place, source in enumerate(self.sources)
            for start in range(source.length - LENGTH + 1)
        ]


def find_clips(root: Path, split: str | None = None, flag: str = "--data.root") -> Clips:
    """The clips below a folder.

    A folder of images is a clip, or several: images whose names differ in more than their last
    number, or where numbers are missing, are of different ones. Images without numbers follow
    their names. Videos are clips, too.

    Args:
        root: The folder. Of a data set in Cityscapes' layout ``leftImg8bit_sequence`` is searched.
        split: The folder in that to read; None for all of it.
        flag: How errors call the setting.

    Raises:
        UsageError: There is no such folder, or no clip in it.
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
            f"{flag}: {searched} holds no clip of {LENGTH} frames or more; name a folder of "
            "folders of frames, or of videos."
        )
    return Clips(kept, folder)


def has_splits(root: Path) -> bool:
    """Whether a folder has clips to train and to validate on in Cityscapes' layout."""
    return all((root / SEQUENCES / split).is_dir() for split in ("train", "val"))


def _split_runs(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Images of one folder by clip, each in order."""
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
    """What surrounds the last number in a name, and the number."""
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
