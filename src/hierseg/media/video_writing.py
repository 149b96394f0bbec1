"""Writes an overlay video: encoded in a thread, and playable even if the process is killed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.media.video_opening import address_of, describe_failure, import_av

CODECS = ("libx264", "h264", "mpeg4")  # the first that this build of FFmpeg has is used
WAITING = 8  # frames that may wait to be encoded
LONGEST_HOLD = 10.0  # seconds; a longer gap in a damaged file's times is not filled with frames


class _Shown(NamedTuple):
    """A frame that is shown from a tick on; it is encoded when the next frame's tick is known."""

    frame: Any
    tick: int


class OverlayVideo:
    """Writes frames as an MP4 for all players and browsers (H.264, 4:2:0); a context manager.

    Fragments are written to ``NAME.part.mp4``, which plays even if the process is killed. When the
    context ends, also by an error or an interruption, they are joined as ``path``.

    Args:
        path: The video, ending in .mp4.
        rate: Frames per second.

    Attributes:
        pixel_shape: Width of a pixel divided by its height; set it before the first frame.
        failure: Why the video lacks frames, or does not exist: the encoder could not be opened, or
            failed. None if nothing is missing.

    Raises:
        MissingExtraError: PyAV is not installed.
    """

    def __init__(self, path: Path, rate: Fraction) -> None:
        self._av = import_av()
        self.path, self.rate = path, rate
        self._part = path.with_name(f"{path.stem}.part.mp4")
        self._encoder = ThreadPoolExecutor(1, "encode")
        self._waiting: deque[Future[None]] = deque()
        self._container: Any = None
        self._stream: Any = None
        self._size = (0, 0)
        self._first = self._encoded = 0
        self._shown: _Shown | None = None
        self.pixel_shape = Fraction(1)
        self.failure: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._submit(self._show_until, 0)
            while self._waiting:
                self._waiting.popleft().result()
        finally:
            self._encoder.shutdown(cancel_futures=True)
            if self._container is not None:
                self._close()

    def add(self, picture: npt.NDArray[np.uint8], tick: int) -> None:
        """Add a frame. It is shown from its tick, a multiple of 1 / rate, to the next frame's tick.

        Of frames with the same tick the last is shown. The call waits if too many frames are still
        to be encoded.

        Args:
            picture: (H, W, 3) uint8 RGB.
            tick: Number of the tick nearest to the frame's time; not smaller than the last one.

        Raises:
            OSError: An earlier frame could not be written.
        """
        self._submit(self._take, picture, tick)

    def hold(self, tick: int) -> None:
        """Show the last frame up to and including a tick."""
        self._submit(self._show_until, tick + 1)

    def _submit(self, work: Callable[..., None], *arguments: Any) -> None:
        self._waiting.append(self._encoder.submit(self._guard, work, *arguments))
        while len(self._waiting) > WAITING:
            self._waiting.popleft().result()

    def _guard(self, work: Callable[..., None], *arguments: Any) -> None:
        """Run a step of encoding. FFmpeg's errors become ``failure``; the disk's are raised."""
        if self.failure is not None:
            return
        try:
            work(*arguments)
        except (self._av.FFmpegError, MemoryError, OverflowError, ValueError) as error:
            if isinstance(error, OSError):
                raise
            width, height = self._size
            what = f"{self.path.name}: frames of {height}x{width} cannot be encoded"
            self.failure = f"{what} ({describe_failure(error)})"

    def _take(self, picture: npt.NDArray[np.uint8], tick: int) -> None:
        if self._shown is not None and tick > self._shown.tick:
            self._show_until(tick)
        if self._container is None:
            self._begin(picture.shape[0], picture.shape[1])
            self._first = tick
        width, height = self._size
        if picture.shape[:2] != (height, width):
            down, right = height - picture.shape[0], width - picture.shape[1]
            border = cv2.copyMakeBorder(picture, 0, down, 0, right, cv2.BORDER_REPLICATE)
            picture = np.asarray(border, np.uint8)
        frame = self._av.VideoFrame.from_ndarray(picture, format="rgb24")
        self._shown = _Shown(frame, tick)

    def _show_until(self, tick: int) -> None:
        """Encode the current frame once per tick until ``tick``, for a constant frame rate."""
        if self._shown is None:
            return
        frame, first = self._shown
        self._shown = None
        count = max(1, tick - first)
        for shown in range(first, first + (count if count <= LONGEST_HOLD * self.rate else 1)):
            frame.pts = shown - self._first
            frame.time_base = 1 / self.rate
            self._container.mux(self._stream.encode(frame))
            self._encoded += 1

    def _begin(self, height: int, width: int) -> None:
        """Open the file. 4:2:0 needs even sides, so an odd side is one pixel longer."""
        codec = next((name for name in CODECS if name in self._av.codecs_available), None)
        if codec is None:
            raise ValueError("this build of PyAV has no encoder for MP4")
        self._size = (width + width % 2, height + height % 2)
        flags = "frag_keyframe+empty_moov+default_base_moof"
        fragments = {"movflags": flags, "flush_packets": "1"}
        self._container = self._av.open(
            address_of(self._part), "w", format="mp4", options=fragments
        )
        quality = {"crf": "18", "preset": "veryfast"} if codec == "libx264" else {}
        self._stream = self._container.add_stream(codec, rate=self.rate, options=quality)
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.sample_aspect_ratio = self.pixel_shape
        self._stream.codec_context.time_base = 1 / self.rate
        self._stream.codec_context.gop_size = max(1, round(2 * self.rate))  # a fragment each 2 s
        if codec == "mpeg4":
            self._stream.bit_rate = 8 * self._size[0] * self._size[1]
        self._stream.codec_context.thread_count = 1  # the network has the other cores
        self._stream.codec_context.open()  # now, so that its errors show at once

    def _close(self) -> None:
        if self._encoded == 0:
            with suppress(self._av.FFmpegError):
                self._container.close()
            self._part.unlink(missing_ok=True)
            return
        self._guard(self._finish_fragments)
        self._container.close()
        self._join_fragments()
        self._part.unlink()

    def _finish_fragments(self) -> None:
        self._container.mux(self._stream.encode(None))

    def _join_fragments(self) -> None:
        with (
            self._av.open(address_of(self._part), format="mp4") as fragments,
            self._av.open(
                address_of(self.path), "w", format="mp4", options={"movflags": "faststart"}
            ) as whole,
        ):
            source = fragments.streams.video[0]
            target = whole.add_stream_from_template(source)
            start = source.start_time or 0  # not 0, since the encoder reorders frames
            for packet in fragments.demux(source):
                if packet.dts is not None and packet.pts is not None:
                    packet.pts, packet.dts = packet.pts - start, packet.dts - start
                    packet.stream = target
                    whole.mux(packet)
