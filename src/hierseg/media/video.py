"""Frames of a video file, by PyAV (the extra ``video``): opened, chosen, decoded, upright."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.data import tell, tell_by_name
from hierseg.errors import UsageError, UserError
from hierseg.media.names import assign_names
from hierseg.media.pictures import check_size
from hierseg.media.sources import expand_user
from hierseg.media.video_opening import (
    choose_stream,
    describe_failure,
    import_av,
    open_container,
    read_packets,
)
from hierseg.media.video_timing import Clock, choose_rate
from hierseg.size import Size

MISSING_FRAMES = 3
"""So many frames fewer than a file's duration says are taken for rounding, not for damage."""
SHAPES = (Fraction(1, 16), Fraction(16))
"""Pixels flatter or higher than that are damage."""


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
        index: Its number in the video, from 0, by its time and the frame rate; where frames come
            faster than that, the number after the last.
        time: Seconds from the beginning of the video.
        pixels: (H, W, 3) uint8 RGB, upright.
        pixel_shape: Width of a pixel by its height: 1 for a square.
    """

    index: int
    time: float
    pixels: npt.NDArray[np.uint8]
    pixel_shape: Fraction = Fraction(1)


def is_video(source: str) -> bool:
    """Whether a source names a video file: by its ending, by its first bytes where it has none that
    is known.
    """
    path = expand_user(source)
    looks = tell_by_name(path) or tell(path)
    return looks is not None and looks.kind == "video" and not path.is_dir()


class Video:
    """A video file that was opened and has a picture; frames are decoded as they are asked for.

    Args:
        path: The file.
        max_pixels: The largest frame that is taken.

    Attributes:
        name: What the names of its outputs begin with.
        size: Of a frame, as the file has it before it is turned upright.
        rate: Frames a second, as its times bear out.
        seconds: Duration, None where the file does not say.
        damage: After ``frames``: what the video was found to lack, None for nothing.
        last_index: After ``frames``: number of the last frame of the clip, taken or not.
        shown_until: After ``frames``: seconds at which that frame's time is over.

    Raises:
        MissingExtraError: PyAV is not installed.
        UserError: Not there, empty, damaged at its beginning, no video, sound alone, or of frames
            that are too small or too large.
    """

    def __init__(self, path: Path, max_pixels: int | None = None) -> None:
        self.path, self.name = path, assign_names([path])[path]
        self._av, self._max_pixels = import_av(), max_pixels
        with closing(open_container(path)) as container:
            self._index, times = choose_stream(container, path)
            stream = container.streams[self._index]
            check_size(stream.height, stream.width, max_pixels, path)
            self.size = Size(stream.height, stream.width)
            rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
            self.rate = choose_rate(rates, times)
            self._pixel_shape = read_pixel_shape(stream)
            started = float((stream.start_time or 0) * (stream.time_base or 0))
            self._start = times[0] if times else started
            self.seconds = _duration(container, stream, self._start)
        self.damage: str | None = None
        self._ends = "is damaged"
        self.last_index, self.shown_until = -1, 0.0

    def count(self, clip: Clip) -> int | None:
        """How many frames a clip takes, nearly; None where the duration is not known."""
        if self.seconds is None:
            return None
        end = self.seconds if clip.end is None else min(clip.end, self.seconds)
        if clip.start >= end:  # by so much, maybe, that no number holds the difference
            return 0
        return max(0, math.ceil((end - clip.start) * float(self.rate) / clip.every - 1e-6))

    def frames(self, clip: Clip) -> Iterator[Frame]:
        """The frames of a clip in order.

        What is damaged within the file ends the frames; ``damage`` then says so.
        """
        last: float | None = None
        self.damage, self.last_index, self.shown_until = None, -1, 0.0
        taken, size = 0, None
        with closing(self._decode(clip.start)) as decoded:
            for frame, time, seconds in decoded:
                if time < clip.start - 1e-6:
                    last = time + seconds
                    continue
                if clip.end is not None and time >= clip.end - 1e-6:
                    self.shown_until = min(self.shown_until, clip.end)
                    return
                index = max(self.last_index + 1, round(time * self.rate))
                if taken % clip.every == 0:
                    upright = self._convert(frame)
                    if upright is None:
                        break
                    pixels, shape = upright
                    size = size or (pixels.shape[1], pixels.shape[0])
                    if (pixels.shape[1], pixels.shape[0]) != size:  # streams may change theirs
                        pixels = np.asarray(cv2.resize(pixels, size), np.uint8)
                    yield Frame(index, time, pixels, shape)
                taken += 1
                self.last_index, last = index, time + seconds
                self.shown_until = last if clip.end is None else min(last, clip.end)
        self._check_end(last)

    def _convert(self, frame: Any) -> tuple[npt.NDArray[np.uint8], Fraction] | None:
        """A decoded frame as upright RGB, and the shape of its pixels; None, and ``damage``, where
        it cannot be.
        """
        try:
            # The size that the file states says nothing of later frames.
            check_size(frame.height, frame.width, self._max_pixels)
            return make_upright(frame, self._pixel_shape)
        except UserError as error:
            self.damage, self._ends = str(error), "cannot be taken further"
        except (self._av.FFmpegError, MemoryError, ValueError) as error:
            self._note(error)
        return None

    def _note(self, error: Exception) -> None:
        """Keep what ends the frames."""
        lacks = isinstance(error, MemoryError)
        self.damage = describe_failure(error)
        self._ends = "cannot be taken further" if lacks else "is damaged"

    def _decode(self, start: float) -> Generator[_Decoded, None, None]:
        """Decoded frames from one that is not after a time on."""
        if start > 0:
            with closing(self._decode_from(start)) as sought:
                first = next(sought, None)
                # MPEG-TS is sought to a place behind, and some streams cannot be sought at all.
                if first is not None and first.time <= start + 1e-6:
                    yield first
                    yield from sought
                    return
            self.damage = None
        yield from self._decode_from(0.0)

    def _decode_from(self, start: float) -> Generator[_Decoded, None, None]:
        """Decoded frames from where the container seeks to; none where it cannot be sought."""
        with closing(open_container(self.path)) as container:
            stream = container.streams[self._index]
            stream.thread_type = "AUTO"
            if start > 0 and stream.time_base:
                try:
                    offset = int((start + self._start) / stream.time_base)
                    container.seek(offset, stream=stream)  # to the key frame before
                except (self._av.FFmpegError, OverflowError):
                    return
            clock = Clock(self._start, self.rate)
            for frame in self._decode_packets(container, stream):
                base = frame.time_base
                stated = None if frame.pts is None or base is None else float(frame.pts * base)
                if stated is None and start > 0 and clock.last is None:
                    return  # only counted from the beginning are such frames known
                seconds = float(frame.duration * base) if frame.duration and base else 0.0
                yield _Decoded(frame, clock.read(stated), seconds or float(1 / self.rate))

    def _decode_packets(self, container: Any, stream: Any) -> Iterator[Any]:
        try:
            for packet in read_packets(container, stream):
                yield from packet.decode()
            return
        except (self._av.FFmpegError, MemoryError) as error:
            self._note(error)
        try:
            yield from stream.codec_context.decode(None)  # what it has taken in before the damage
        except (self._av.FFmpegError, MemoryError):
            return  # nothing more than is said already

    def _check_end(self, last: float | None) -> None:
        """Say what is damaged; notice a file that says it is longer than what could be decoded."""
        if self.damage is not None:
            self.damage = f"{self.path} {self._ends} {_after(last)} ({self.damage})"
        elif last is None:
            self.damage = f"{self.path} holds no frame that can be decoded"
        elif self.seconds is not None:
            missing = (self.seconds - last) * float(self.rate)
            if missing > max(MISSING_FRAMES, 0.01 * self.seconds * float(self.rate)):
                self.damage = f"{self.path} is cut short {_after(last)} of {self.seconds:.1f} s"


class _Decoded(NamedTuple):
    """A frame as FFmpeg decodes it, its time in seconds, and how many it is shown."""

    frame: Any
    time: float
    seconds: float


def _duration(container: Any, stream: Any, start: float) -> float | None:
    """Seconds of the picture; Matroska's file has those of its longest stream alone, counted from
    zero, wherever that begins.
    """
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and len(container.streams) == 1:
        return max(0.0, float(container.duration) / 1e6 - max(0.0, start))
    return None


def _after(last: float | None) -> str:
    return "at its beginning" if last is None else f"after {last:.1f} s"


def read_pixel_shape(stream: Any) -> Fraction:
    """Width of a pixel by its height as a stream is stored: 1 for a square."""
    shape = stream.sample_aspect_ratio
    return Fraction(shape) if shape and SHAPES[0] <= shape <= SHAPES[1] else Fraction(1)


def make_upright(frame: Any, pixel_shape: Fraction) -> tuple[npt.NDArray[np.uint8], Fraction]:
    """(H, W, 3) uint8 RGB as the file says that it is to be shown, and the shape of its pixels."""
    pixels = frame.to_ndarray(format="rgb24")
    stored = frame.side_data.get("DISPLAYMATRIX")
    if stored is None:
        return pixels, pixel_shape
    matrix = np.frombuffer(stored, np.int32)
    shape = 1 / pixel_shape if lies_on_its_side(matrix) else pixel_shape
    return turn(pixels, matrix), shape


def lies_on_its_side(matrix: npt.NDArray[np.int32]) -> bool:
    """Whether a display matrix makes rows of pixels columns."""
    along, across = np.abs(matrix[[0, 4]].astype(float)), np.abs(matrix[[1, 3]].astype(float))
    return bool(along.sum() < across.sum())


def turn(pixels: npt.NDArray[np.uint8], matrix: npt.NDArray[np.int32]) -> npt.NDArray[np.uint8]:
    """Pixels as a display matrix shows them, to the nearest quarter turn, and mirrored: phones film
    lying on their side, and what looks into a mirror is stored as it was seen.

    Args:
        pixels: (H, W, 3).
        matrix: (9,) FFmpeg's: the pixel at (x, y) is shown at (ax + cy, bx + dy), y downwards; it
            holds a, b, u, c, d, v, x, y, w.
    """
    a, b, c, d = matrix[[0, 1, 3, 4]]
    if lies_on_its_side(matrix):
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    if a < 0:
        pixels = pixels[:, ::-1]
    if d < 0:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
