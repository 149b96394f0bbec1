"""Decodes the frames of a video file with PyAV (the extra ``video``), upright and as RGB."""

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
"""If at most so many frames are missing by the file's duration, it is rounding and not damage."""
SHAPES = (Fraction(1, 16), Fraction(16))
"""Smallest and largest width of a pixel divided by its height; others are taken for damage."""


@dataclass(frozen=True)
class Clip:
    """A selection of a video's frames.

    Attributes:
        every: Take the first frame of the range and then every so many.
        start: Seconds from the beginning of the video; earlier frames are left out.
        end: Seconds from the beginning; frames from then on are left out. None for the video's end.

    Raises:
        UsageError: ``every`` is under 1, ``start`` is below 0, or ``end`` is not after ``start``.
    """

    every: int = 1
    start: float = 0.0
    end: float | None = None

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UsageError(f"--every {self.every} is too small; give 1 or more.")
        if not (math.isfinite(self.start) and self.start >= 0):
            raise UsageError(
                f"a start (--from) of {self.start:g} is not a time in a video; give seconds, 0 or "
                "more."
            )
        if self.end is not None and not (math.isfinite(self.end) and self.end > self.start):
            raise UsageError(
                f"an end (--to) of {self.end:g} is not after the start (--from), {self.start:g}; "
                "give seconds."
            )


WHOLE = Clip()
"""All frames."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a video.

    Attributes:
        index: Number of the frame in the video, from 0, by its time and the frame rate; if frames
            follow more closely than that, one more than the last number.
        time: Seconds from the beginning of the video.
        pixels: (H, W, 3) uint8 RGB, upright.
        pixel_shape: Width of a pixel divided by its height; 1 for square pixels.
    """

    index: int
    time: float
    pixels: npt.NDArray[np.uint8]
    pixel_shape: Fraction = Fraction(1)


def is_video(source: str) -> bool:
    """Whether a source names a video file, by its suffix, or by its first bytes if the suffix is
    unknown.
    """
    path = expand_user(source)
    looks = tell_by_name(path) or tell(path)
    return looks is not None and looks.kind == "video" and not path.is_dir()


class Video:
    """A video file; frames are decoded when they are asked for.

    Args:
        path: The file.
        max_pixels: Most pixels of a frame; None for no limit.

    Attributes:
        name: Common beginning of its outputs' names.
        size: Size of a frame in pixels, as stored, before it is turned upright.
        rate: Frames per second, as the times of the frames confirm it.
        seconds: Duration in seconds; None if the file does not state it.
        damage: After ``frames``: how the video is damaged, in words; None if it is not.
        last_index: After ``frames``: number of the last frame in the clip, taken or not.
        shown_until: After ``frames``: seconds until which that frame is shown.

    Raises:
        MissingExtraError: PyAV is not installed.
        UserError: The file is missing, empty, damaged at its beginning, not a video or only sound,
            or its frames are too small or too large.
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
        """Approximate number of frames in a clip; None if the duration is not known."""
        if self.seconds is None:
            return None
        end = self.seconds if clip.end is None else min(clip.end, self.seconds)
        if clip.start >= end:  # the difference may overflow
            return 0
        return max(0, math.ceil((end - clip.start) * float(self.rate) / clip.every - 1e-6))

    def frames(self, clip: Clip) -> Iterator[Frame]:
        """Yield the frames of a clip in order.

        Damage in the file ends the frames without an error; ``damage`` then describes it.
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
                    if (pixels.shape[1], pixels.shape[0]) != size:  # streams may change their size
                        pixels = np.asarray(cv2.resize(pixels, size), np.uint8)
                    yield Frame(index, time, pixels, shape)
                taken += 1
                self.last_index, last = index, time + seconds
                self.shown_until = last if clip.end is None else min(last, clip.end)
        self._check_end(last)

    def _convert(self, frame: Any) -> tuple[npt.NDArray[np.uint8], Fraction] | None:
        """A decoded frame as upright RGB, and the shape of its pixels; if it cannot be converted,
        None, and ``damage`` is set.
        """
        try:
            # Later frames may be larger than the file states.
            check_size(frame.height, frame.width, self._max_pixels)
            return make_upright(frame, self._pixel_shape)
        except UserError as error:
            self.damage, self._ends = str(error), "cannot be taken further"
        except (self._av.FFmpegError, MemoryError, ValueError) as error:
            self._note(error)
        return None

    def _note(self, error: Exception) -> None:
        """Keep the error that ends the frames."""
        lacks = isinstance(error, MemoryError)
        self.damage = describe_failure(error)
        self._ends = "cannot be taken further" if lacks else "is damaged"

    def _decode(self, start: float) -> Generator[_Decoded, None, None]:
        """Decode frames, beginning with one at or before ``start``."""
        if start > 0:
            with closing(self._decode_from(start)) as sought:
                first = next(sought, None)
                # Seeking in MPEG-TS may end too late, and some streams cannot seek at all.
                if first is not None and first.time <= start + 1e-6:
                    yield first
                    yield from sought
                    return
            self.damage = None
        yield from self._decode_from(0.0)

    def _decode_from(self, start: float) -> Generator[_Decoded, None, None]:
        """Decode frames from where the container seeks to; none if it cannot seek."""
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
                    return  # frames without times must be counted from the beginning
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
            yield from stream.codec_context.decode(None)  # frames buffered before the damage
        except (self._av.FFmpegError, MemoryError):
            return  # the damage is noted already

    def _check_end(self, last: float | None) -> None:
        """Complete ``damage``; set it too if the file states more frames than could be decoded."""
        if self.damage is not None:
            self.damage = f"{self.path} {self._ends} {_after(last)} ({self.damage})"
        elif last is None:
            self.damage = f"{self.path} holds no frame that can be decoded"
        elif self.seconds is not None:
            missing = (self.seconds - last) * float(self.rate)
            if missing > max(MISSING_FRAMES, 0.01 * self.seconds * float(self.rate)):
                self.damage = f"{self.path} is cut short {_after(last)} of {self.seconds:.1f} s"


class _Decoded(NamedTuple):
    """A frame as FFmpeg decodes it, its time, and how long it is shown, both in seconds."""

    frame: Any
    time: float
    seconds: float


def _duration(container: Any, stream: Any, start: float) -> float | None:
    """Duration of the video stream in seconds. Matroska states only that of its longest stream,
    counted from zero wherever that begins, so it is used only if there is no other stream.
    """
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and len(container.streams) == 1:
        return max(0.0, float(container.duration) / 1e6 - max(0.0, start))
    return None


def _after(last: float | None) -> str:
    return "at its beginning" if last is None else f"after {last:.1f} s"


def read_pixel_shape(stream: Any) -> Fraction:
    """Width of a pixel divided by its height, as stored; 1 for square pixels."""
    shape = stream.sample_aspect_ratio
    return Fraction(shape) if shape and SHAPES[0] <= shape <= SHAPES[1] else Fraction(1)


def make_upright(frame: Any, pixel_shape: Fraction) -> tuple[npt.NDArray[np.uint8], Fraction]:
    """(H, W, 3) uint8 RGB, turned as the file asks, and the shape of its pixels."""
    pixels = frame.to_ndarray(format="rgb24")
    stored = frame.side_data.get("DISPLAYMATRIX")
    if stored is None:
        return pixels, pixel_shape
    matrix = np.frombuffer(stored, np.int32)
    shape = 1 / pixel_shape if lies_on_its_side(matrix) else pixel_shape
    return turn(pixels, matrix), shape


def lies_on_its_side(matrix: npt.NDArray[np.int32]) -> bool:
    """Whether a display matrix turns rows into columns."""
    along, across = np.abs(matrix[[0, 4]].astype(float)), np.abs(matrix[[1, 3]].astype(float))
    return bool(along.sum() < across.sum())


def turn(pixels: npt.NDArray[np.uint8], matrix: npt.NDArray[np.int32]) -> npt.NDArray[np.uint8]:
    """Turn and mirror pixels as a display matrix asks, to the nearest quarter turn.

    Args:
        pixels: (H, W, 3).
        matrix: (9,) int32, FFmpeg's display matrix a, b, u, c, d, v, x, y, w: the pixel at (x, y)
            is shown at (ax + cy, bx + dy), with y downwards.
    """
    a, b, c, d = matrix[[0, 1, 3, 4]]
    if lies_on_its_side(matrix):
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    if a < 0:
        pixels = pixels[:, ::-1]
    if d < 0:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
