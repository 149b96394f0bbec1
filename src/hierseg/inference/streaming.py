"""Sources of a stream of images: folders, sequences, videos, cameras, or any iterable."""

from __future__ import annotations

import glob
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hierseg.errors import UsageError
from hierseg.inference.pixels import ImageLike, as_path, name_of
from hierseg.media import Camera, Clip, Video, find_sources, is_video

StreamSource = str | os.PathLike[str] | int | Iterable[ImageLike]

_NUMBER = re.compile(r"%0?\d*d")


class Given(NamedTuple):
    """An image of a stream.

    Attributes:
        image: An image as ``as_pixels`` takes it.
        source: Path of the image or video; empty if there is none.
        frame: Number of the frame in its video, from 0; None for a single image.
        time: Seconds from the beginning of the video; None for a single image.
        passes: Whether the stream continues if the image cannot be read.
    """

    image: ImageLike
    source: str = ""
    frame: int | None = None
    time: float | None = None
    passes: bool = False


def iterate(
    source: StreamSource, every: int = 1, start: float = 0.0, end: float | None = None
) -> Iterator[Given]:
    """The images of a source; arguments and errors as of ``Predictor.stream``."""
    given: Any = source
    clip = Clip(every, start, end)
    if isinstance(given, int) and not isinstance(given, bool):
        return _iterate_camera(given, clip)
    if isinstance(given, str) and given.isdecimal() and not Path(given).exists():
        return _iterate_camera(int(given), clip)
    if isinstance(given, str | os.PathLike):
        path = as_path(os.fspath(given))
        if is_video(str(path)):
            return _iterate_video(path, clip)
        _refuse_times(clip)
        return _iterate_files(path, every)
    _refuse_times(clip)
    if isinstance(given, bytes) or not isinstance(given, Iterable):
        raise UsageError(
            f"{type(given).__name__} is not a source of images; give a folder, a video, the number "
            "of a camera, or a list of images."
        )
    return (Given(image, name_of(image)) for place, image in enumerate(given) if place % every == 0)


def _refuse_times(clip: Clip) -> None:
    if clip.start or clip.end is not None:
        raise UsageError("start and end are for a video or camera; leave them out for images.")


def _iterate_camera(number: int, clip: Clip) -> Iterator[Given]:
    with Camera(number) as camera:
        for place, frame in enumerate(camera.frames()):
            if clip.end is not None and frame.time >= clip.end:
                return
            if place % clip.every == 0 and frame.time >= clip.start:
                yield Given(frame.pixels, f"camera {number}", frame.index, frame.time)


def _iterate_video(path: Path, clip: Clip) -> Iterator[Given]:
    video = Video(path)
    for frame in video.frames(clip):
        yield Given(frame.pixels, str(path), frame.index, frame.time)
    if video.damage:
        warnings.warn(video.damage, stacklevel=3)


def _iterate_files(path: Path, every: int) -> Iterator[Given]:
    pattern = str(path)
    if _NUMBER.search(path.name) and not path.exists():
        pattern = _NUMBER.sub("[0-9]*", glob.escape(pattern))
    found = find_sources([pattern])
    for left, reason in found.left_out.items():
        warnings.warn(f"skipped: {left}: {reason}", stacklevel=3)
    images = sorted(found.images, key=_count_order)
    alone = len(images) == 1
    for image in images[::every]:
        yield Given(image, str(image), passes=not alone)


def _count_order(path: Path) -> list[tuple[int, str]]:
    """A sort key by which frame_10 comes after frame_9."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part)
        for part in re.split(r"(\d+)", str(path))
    ]
