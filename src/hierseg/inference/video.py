"""Frames of a video file, by PyAV (the extra ``video``): opened, chosen, decoded, upright."""

from __future__ import annotations

import importlib
import math
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.errors import MissingExtraError, UsageError, UserError
from hierseg.inference.reading import check_size
from hierseg.inference.sources import expand_user

VIDEO_SUFFIXES = frozenset(
    {".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts"}
    | {".webm", ".wmv"}
)
"""What counts as a video where a file is named."""

MISSING_FRAMES = 3
"""So many frames fewer than a file's duration says are taken for rounding, not for damage."""


@dataclass(frozen=True)
class Clip:
    """Which frames of a video are taken.

    Attributes:
        every: Every so many frames, the first of the range among them.
        start: Seconds from the beginning of the video; frames before are left out.
        end: Seconds; frames from there on are left out. None for the video's own end.

    Raises:
        UsageError: It can hold no frame.
    """

    every: int = 1
    start: float = 0.0
    end: float | None = None

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UsageError(f"--every {self.every} takes no frame; give 1 or more.")
        if not (math.isfinite(self.start) and self.start >= 0):
            raise UsageError(
                f"--from {self.start:g} is no time in a video; give seconds, 0 or more."
            )
        if self.end is not None and not (math.isfinite(self.end) and self.end > self.start):
            raise UsageError(
                f"--to {self.end:g} is no time after --from {self.start:g}; both are in seconds."
            )


WHOLE = Clip()


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame.

    Attributes:
        index: Its number in the video, from 0, by its time and the frame rate.
        time: Seconds from the beginning of the video.
        pixels: (H, W, 3) uint8 RGB, upright.
    """

    index: int
    time: float
    pixels: npt.NDArray[np.uint8]


def is_video(source: str) -> bool:
    """Whether a source names a video file, by its suffix."""
    path = expand_user(source)
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()


def import_av() -> Any:
    """PyAV; MissingExtraError where it is not installed."""
    try:
        av = importlib.import_module("av")
    except ImportError as error:
        raise MissingExtraError("reading and writing video", "video") from error
    # No messages through Python, at whatever level: a decoder's thread that has one waits for the
    # interpreter, and whoever closes the decoder holds it while waiting for that thread.
    av.logging.set_level(None)
    return av


class Video:
    """A video file that was opened and has a picture; frames are decoded as they are asked for.

    Args:
        path: The file.
        max_pixels: The largest frame that is taken.

    Attributes:
        rate: Frames a second, on average.
        seconds: Duration, None where the file does not say.
        damage: After ``frames``: what the video was found to lack, None for nothing.
        last_index: After ``frames``: number of the last frame of the clip, taken or not.

    Raises:
        MissingExtraError: PyAV is not installed.
        UserError: Not there, empty, damaged at its beginning, no video, sound alone, or of frames
            that are too small or too large.
    """

    def __init__(self, path: Path, max_pixels: int | None = None) -> None:
        self.path = path
        self._av = import_av()
        container = self._open()
        try:
            if not container.streams.video:
                sound = container.streams.audio
                what = "holds sound but no picture" if sound else "holds no picture"
                raise UserError(f"{path} {what}; name a video.")
            stream = container.streams.video[0]
            if not stream.width or not stream.height:
                raise UserError(f"{path} does not say how large its frames are; it is damaged.")
            check_size(stream.height, stream.width, max_pixels, path)
            self.rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
            self.seconds = _duration(container, stream)
            self._start = (stream.start_time or 0) * (stream.time_base or 0)
        finally:
            container.close()
        self.damage: str | None = None
        self.last_index = -1

    def count(self, clip: Clip) -> int | None:
        """How many frames a clip takes, nearly; None where the duration is not known."""
        if self.seconds is None:
            return None
        end = self.seconds if clip.end is None else min(clip.end, self.seconds)
        return max(0, math.ceil((end - clip.start) * float(self.rate) / clip.every - 1e-6))

    def frames(self, clip: Clip) -> Iterator[Frame]:
        """The frames of a clip in order.

        What is damaged within the file ends the frames; ``damage`` then says so.
        """
        last: float | None = None
        self.damage, self.last_index = None, -1
        taken, size = 0, None
        with closing(self._decode(clip.start)) as decoded:
            for frame, time in decoded:
                last = time
                if time < clip.start - 1e-6:
                    continue
                if clip.end is not None and time >= clip.end - 1e-6:
                    return
                index = max(self.last_index + 1, round(time * self.rate))
                if taken % clip.every == 0:
                    pixels = _upright(frame)
                    size = size or (pixels.shape[1], pixels.shape[0])
                    if (pixels.shape[1], pixels.shape[0]) != size:  # streams may change theirs
                        pixels = np.asarray(cv2.resize(pixels, size), np.uint8)
                    yield Frame(index, time, pixels)
                taken += 1
                self.last_index = index
        self._check_end(last)

    def _open(self) -> Any:
        try:
            if self.path.stat().st_size == 0:
                raise UserError(f"{self.path} is empty; name a video.")
            return self._av.open(str(self.path.absolute()))  # "10:30.mp4" would be a protocol
        except self._av.FFmpegError as error:
            raise UserError(
                f"{self.path} is no video, or is damaged or cut short ({_reason(error)}); "
                "repair or replace it."
            ) from error

    def _decode(self, start: float) -> Generator[tuple[Any, float], None, None]:
        """Decoded frames from one that is not after a time on, and their times."""
        if start > 0:
            with closing(self._decode_from(start)) as sought:
                first = next(sought, None)
                # MPEG-TS is sought to a place behind, and some streams cannot be sought at all.
                if first is not None and first[1] <= start + 1e-6:
                    yield first
                    yield from sought
                    return
            self.damage = None
        yield from self._decode_from(0.0)

    def _decode_from(self, start: float) -> Generator[tuple[Any, float], None, None]:
        """Decoded frames from where the container seeks to, and their times; none where it cannot
        be sought.
        """
        container = self._open()
        try:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            if start > 0 and stream.time_base:
                offset = int((start + float(self._start)) / stream.time_base)
                try:
                    container.seek(offset, stream=stream)  # to the key frame before
                except self._av.FFmpegError:
                    return
            time = -1 / float(self.rate)
            for frame in self._decode_packets(container, stream):
                if frame.pts is None or frame.time_base is None:
                    if start > 0:
                        return  # only counted from the beginning are such frames known
                    time += 1 / float(self.rate)
                else:
                    time = float(frame.pts * frame.time_base - self._start)
                yield frame, time
        finally:
            container.close()

    def _decode_packets(self, container: Any, stream: Any) -> Iterator[Any]:
        try:
            for packet in container.demux(stream):
                yield from packet.decode()
            return
        except self._av.FFmpegError as error:
            self.damage = _reason(error)
        try:
            yield from stream.codec_context.decode(None)  # what it has taken in before the damage
        except self._av.FFmpegError:
            return  # nothing more than is said already

    def _check_end(self, last: float | None) -> None:
        """Say what is damaged; notice a file that says it is longer than what could be decoded."""
        if self.damage is not None:
            self.damage = f"{self.path} is damaged {_after(last)} ({self.damage})"
        elif last is None:
            self.damage = f"{self.path} holds no frame that can be decoded"
        elif self.seconds is not None:
            missing = (self.seconds - last) * float(self.rate) - 1
            if missing > max(MISSING_FRAMES, 0.01 * self.seconds * float(self.rate)):
                self.damage = f"{self.path} is cut short {_after(last)} of {self.seconds:.1f} s"


def _duration(container: Any, stream: Any) -> float | None:
    """Seconds of the picture; Matroska's file has those of its longest stream alone."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and len(container.streams) == 1:
        return float(container.duration) / 1e6
    return None


def _upright(frame: Any) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, turned as the file says: phones film lying on their side."""
    pixels = frame.to_ndarray(format="rgb24")
    quarters = round((frame.rotation or 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarters))


def _after(last: float | None) -> str:
    return "at its beginning" if last is None else f"after {last:.1f} s"


def _reason(error: Exception) -> str:
    text = str(getattr(error, "strerror", None) or error)
    return text[:1].lower() + text[1:]
