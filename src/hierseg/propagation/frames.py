"""Sources of frames and labels: Cityscapes' sequences, a folder of frames, a video."""

from __future__ import annotations

import itertools
import re
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from hierseg.data import (
    find_files,
    is_file,
    is_folder,
    read_dataset_image,
    read_label_ids,
    tell,
)
from hierseg.errors import UserError
from hierseg.labels import CITYSCAPES, LabelSpace, UnknownLabelError
from hierseg.media import WHOLE, Video, find_sources

_NUMBERED = re.compile(r"(.*?)(\d+)")
_IMAGE_ENDING, _LABEL_ENDING = "_leftImg8bit", "_gtFine_labelIds"


class MissingFrameError(UserError):
    """There is no frame at a number of steps from a labelled one.

    Attributes:
        name: Name of the missing frame.
        step: Steps from the labelled frame, negative before it.
    """

    def __init__(self, name: str, step: int) -> None:
        super().__init__(f"there is no frame {name}.")
        self.name, self.step = name, step


class Frame(NamedTuple):
    """A real frame.

    Attributes:
        name: Name for messages: a file, or a number in a video.
        place: Path relative to the folder of the frames, without suffix, by which flow files name
            it.
        pixels: (H, W, 3) uint8 RGB.
    """

    name: str
    place: str
    pixels: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Anchor:
    """A labelled frame.

    Attributes:
        split: Name of the split.
        name: Its path without suffix, with ``/`` between folders.
        label: Its label map.
        number: Its number in the clip.
        clip: Name of the clip: the part of the path that its frames have in common.
        alone: Whether it is written unchanged and not propagated, since it is for validation.
    """

    split: str
    name: str
    label: Path
    number: int
    clip: str
    alone: bool = False

    @property
    def key(self) -> str:
        """Key that is unique over all splits."""
        return f"{self.split}/{self.name}"


class FrameSource(Protocol):
    """Frames, some of them labelled.

    Attributes:
        about: Settings that a resumed run must share.
        data: Name of the data set that is written.
        label_space: Label space of the ids that ``read_labels`` gives.
        anchors: The labelled frames.
        skipped: Key -> the reason why a label map has no frame.
        threads: Whether several threads may read at once.
    """

    about: Mapping[str, Any]
    data: str
    label_space: LabelSpace
    anchors: list[Anchor]
    skipped: dict[str, str]
    threads: bool

    def read(self, anchor: Anchor, step: int) -> Frame:
        """The frame ``step`` steps from a labelled one; MissingFrameError if there is none."""

    def read_labels(self, anchor: Anchor) -> npt.NDArray[Any]:
        """(H, W) raw ids of the label space."""

    def name_frame(self, anchor: Anchor, step: int) -> str:
        """Name of the propagated frame, unique in its split."""


class CityscapesSequence:
    """``leftImg8bit_sequence`` and ``gtFine``, as Cityscapes distributes them.

    Args:
        root: Folder of the data set or of its archives.
        split: The split to propagate, or several joined by ``+``. If only one of train and val is
            propagated, the labelled frames of the other are included unchanged.

    Raises:
        UserError: The folder has no sequences, or no label maps of the split.
    """

    data, label_space, threads = "cityscapes", CITYSCAPES, True

    def __init__(self, root: Path, split: str) -> None:
        self.about: Mapping[str, Any] = {
            "data": "cityscapes",
            "root": str(root.absolute()),
            "split": split,
        }
        self._frames = _first_folder(root, "leftImg8bit_sequence")
        self._singles = _first_folder(root, "leftImg8bit")
        labels = _first_folder(root, "gtFine")
        self.anchors: list[Anchor] = []
        self.skipped: dict[str, str] = {}
        if not is_folder(self._frames):
            raise UserError(
                f"'{root}' holds no leftImg8bit_sequence/SPLIT/CITY/*{_IMAGE_ENDING}.png; unpack "
                "leftImg8bit_sequence_trainvaltest.zip there, or name another --root."
            )
        parts = split.split("+")
        for part in (*parts, *(other for other in ("train", "val") if other not in parts)):
            found = find_files(labels / part, f"*/*{_LABEL_ENDING}.png")
            if not found and part in parts:
                raise UserError(
                    f"'{root}' holds no gtFine/{part}/CITY/*{_LABEL_ENDING}.png; name another "
                    "--root or --split."
                )
            for path in found:
                self._take(path, part, part not in parts)

    def _take(self, label: Path, split: str, alone: bool) -> None:
        name = f"{label.parent.name}/{label.stem.removesuffix(_LABEL_ENDING)}"
        clip, _, number = name.rpartition("_")
        if not number.isdecimal():
            self.skipped[f"{split}/{name}"] = f"'{label}' has no frame number in its name."
            return
        anchor = Anchor(split, name, label, int(number), f"{clip}_", alone)
        if is_file(self._find(anchor, 0)):
            self.anchors.append(anchor)
        else:
            self.skipped[anchor.key] = f"'{label}' has no frame: '{self._find(anchor, 0)}' is not "
            self.skipped[anchor.key] += "there."

    def _find(self, anchor: Anchor, step: int) -> Path:
        name = f"{self.name_frame(anchor, step)}{_IMAGE_ENDING}.png"
        path = self._frames / anchor.split / name
        if step == 0 and not is_file(path) and is_file(self._singles / anchor.split / name):
            return self._singles / anchor.split / name
        return path

    def read(self, anchor: Anchor, step: int) -> Frame:
        """See ``FrameSource``."""
        path = self._find(anchor, step)
        if anchor.number + step < 0 or not is_file(path):
            raise MissingFrameError(path.name, step)
        place = f"{anchor.split}/{self.name_frame(anchor, step)}{_IMAGE_ENDING}"
        return Frame(path.name, place, read_dataset_image(path))

    def read_labels(self, anchor: Anchor) -> npt.NDArray[Any]:
        """See ``FrameSource``."""
        ids = read_label_ids(anchor.label, self.label_space.known_raw_ids)
        _encode(ids, self.label_space, anchor.label)
        return ids

    def name_frame(self, anchor: Anchor, step: int) -> str:
        """See ``FrameSource``."""
        return f"{anchor.clip}{anchor.number + step:06d}"


class _Labelled:
    """Base of a folder of frames and a video, with the user's own label maps."""

    data = "propagated"

    def __init__(self, labels: Path, space: LabelSpace) -> None:
        self._own = space
        count = len(space.names)
        # Label maps are written as train ids, so that all have one numbering.
        self.label_space = LabelSpace(
            space.name, space.names, space.colors, tuple(range(count)),
            (space.ignore,), ignore=space.ignore, void_raw_id=space.ignore,
        )  # fmt: skip
        self._maps = sorted(path for path in find_files(labels, "**/*") if _is_picture(path))
        self._labels = labels
        self.anchors: list[Anchor] = []
        self.skipped: dict[str, str] = {}
        if not self._maps:
            raise UserError(f"'{labels}' holds no label maps; name their folder with --labels.")

    def _hold_out(self, share: float) -> None:
        """Keep a share of the labelled frames for validation: whole clips if there are several,
        else the last frames; none if there is only one labelled frame.
        """
        clips = list(dict.fromkeys(anchor.clip for anchor in self.anchors))
        units = clips if len(clips) > 1 else [anchor.name for anchor in self.anchors]
        count = min(len(units) - 1, max(1, round(share * len(units)))) if share > 0 else 0
        held = set(units[len(units) - count :])
        self.anchors = [
            replace(anchor, split="val", alone=True)
            if held & {anchor.clip, anchor.name}
            else anchor
            for anchor in self.anchors
        ]

    def read_labels(self, anchor: Anchor) -> npt.NDArray[Any]:
        """See ``FrameSource``."""
        ids = read_label_ids(anchor.label, self._own.known_raw_ids)
        return _encode(ids, self._own, anchor.label)

    def name_frame(self, anchor: Anchor, step: int) -> str:
        """See ``FrameSource``. A frame may be propagated from two labelled ones."""
        if step == 0:
            return anchor.name
        return f"{anchor.name}_{'after' if step > 0 else 'before'}{abs(step)}"


class FrameFolder(_Labelled):
    """A folder of frames, and label maps of the same names.

    The images of a folder are a clip, or several if their names differ before the last number.
    Frames are in the order of these numbers; a number that is left out is a missing frame. Without
    numbers, or with equal ones, frames are in the order of their names.

    Args:
        frames: The folder, searched recursively.
        labels: Folder of label maps, with the same subfolders.
        space: Label space of their ids.
        val_share: Share of the labelled frames for validation, at least 0 and below 1.

    Raises:
        UserError: There are no label maps.
    """

    threads = True

    def __init__(
        self, frames: Path, labels: Path, space: LabelSpace, val_share: float = 0.2
    ) -> None:
        super().__init__(labels, space)
        self.about: Mapping[str, Any] = {
            "frames": str(frames.absolute()), "labels": str(labels.absolute()), "val": val_share,
        }  # fmt: skip
        self._frames = frames
        self._clips: dict[str, dict[int, Path]] = {}
        self._strides: dict[str, int] = {}
        by_name: dict[str, tuple[str, int]] = {}
        clips: dict[str, list[Path]] = {}
        for path in find_sources([frames], exclude=labels).images:
            clips.setdefault(path.parent.relative_to(frames).as_posix(), []).append(path)
        for folder, paths in clips.items():
            for clip, numbered in _number(folder, paths).items():
                self._clips[clip] = numbered
                self._strides[clip] = _find_stride(numbered)
                for number, path in numbered.items():
                    by_name[_name_below(path, frames)] = clip, number
        for path in self._maps:
            name = _name_below(path, labels)
            if name in by_name:
                clip, number = by_name[name]
                self.anchors.append(Anchor("train", name, path, number, clip))
            else:
                self.skipped[f"train/{name}"] = (
                    f"'{path}' has no frame: no image below '{frames}' is called {name}."
                )
        self._hold_out(val_share)

    def read(self, anchor: Anchor, step: int) -> Frame:
        """See ``FrameSource``."""
        number = anchor.number + step * self._strides[anchor.clip]
        path = self._clips[anchor.clip].get(number)
        if path is None:
            raise MissingFrameError(f"number {number} of '{anchor.clip}'", step)
        return Frame(path.name, _name_below(path, self._frames), read_dataset_image(path))


class FrameVideo(_Labelled):
    """The frames of a video file, and label maps whose names end with the number of a frame.

    Args:
        video: The file; its frames are numbered from 0.
        labels: Folder of label maps.
        space: Label space of their ids.
        steps: Largest number of steps from a labelled frame.
        val_share: Share of the labelled frames for validation, at least 0 and below 1.

    Raises:
        UserError: There are no label maps, or the video cannot be read.
    """

    threads = False

    def __init__(
        self, video: Path, labels: Path, space: LabelSpace, steps: int, val_share: float = 0.2
    ) -> None:
        super().__init__(labels, space)
        self.about: Mapping[str, Any] = {
            "frames": str(video.absolute()), "labels": str(labels.absolute()), "val": val_share,
        }  # fmt: skip
        self._video, self._reach = Video(video), steps + 1
        self._decoded: OrderedDict[int, npt.NDArray[np.uint8]] = OrderedDict()
        self._frames: Iterator[Any] | None = None
        self._last = -1
        for path in self._maps:
            name = _name_below(path, labels)
            ends = re.search(r"(\d+)$", name)
            if ends is None:
                self.skipped[f"train/{name}"] = (
                    f"'{path}' names no frame; end its name with the frame's number, counted from "
                    "0."
                )
            else:
                self.anchors.append(Anchor("train", name, path, int(ends[1]), self._video.name))
        self.anchors.sort(key=lambda anchor: anchor.number)
        self._hold_out(val_share)

    def read(self, anchor: Anchor, step: int) -> Frame:
        """See ``FrameSource``. It is fastest if labelled frames are read in order."""
        number = anchor.number + step
        if number < 0:
            raise MissingFrameError(f"frame {number} of '{self._video.path}'", step)
        first = max(0, anchor.number - self._reach)
        if self._frames is None or (number not in self._decoded and number <= self._last):
            self._frames, self._last = self._video.frames(WHOLE), -1
            self._decoded.clear()
        while self._last < number and (frame := next(self._frames, None)) is not None:
            self._last = frame.index
            if frame.index >= first:
                self._decoded[frame.index] = frame.pixels
        for old in [index for index in self._decoded if index < first]:
            del self._decoded[old]
        if number not in self._decoded:
            raise MissingFrameError(f"frame {number} of '{self._video.path}'", step)
        place = f"{self._video.name}/{number:06d}"
        return Frame(f"frame {number}", place, self._decoded[number])


def _encode(ids: npt.NDArray[Any], space: LabelSpace, path: Path) -> npt.NDArray[np.uint8]:
    try:
        return space.encode(ids)
    except UnknownLabelError as error:
        raise UserError(f"'{path}' cannot be used: {error}") from error


def _first_folder(root: Path, name: str) -> Path:
    """A folder of the data set: as it is, below the name of its archive, or in the archive."""
    archives = (f"{name}_trainvaltest/{name}", f"{name}_trainvaltest.zip/{name}")
    for place in (name, *archives):
        if is_folder(root / place):
            return root / place
    return root / name


def _is_picture(path: Path) -> bool:
    looks = tell(path)
    return looks is not None and looks.kind == "image" and not looks.reason


def _name_below(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def _number(folder: str, paths: list[Path]) -> dict[str, dict[int, Path]]:
    """Clip -> its frames by number."""
    clips: dict[str, dict[int, Path]] = {}
    for path in paths:
        matched = _NUMBERED.fullmatch(path.stem)
        if matched is None or int(matched[2]) in clips.get(f"{folder}/{matched[1]}", {}):
            return {folder: dict(enumerate(sorted(paths)))}
        clips.setdefault(f"{folder}/{matched[1]}", {})[int(matched[2])] = path
    return clips


def _find_stride(numbered: Mapping[int, Path]) -> int:
    """The most frequent difference of successive frame numbers."""
    numbers = sorted(numbered)
    gaps = Counter(b - a for a, b in itertools.pairwise(numbers))
    return min(gaps, key=lambda gap: (-gaps[gap], gap)) if gaps else 1
