"""An overlay video: encoded by a thread of its own, and playable whatever ends it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.errors import UserError
from hierseg.inference.video import import_av

CODECS = ("libx264", "h264", "mpeg4")  # the best that this build of FFmpeg has
WAITING = 8  # frames that may wait to be encoded
LONGEST_HOLD = 10.0  # seconds; a longer gap in a damaged file's times is not filled with frames


class OverlayVideo:
    """Writes frames as an MP4 (H.264, 4:2:0, any player and browser).

    Fragments are written to ``NAME.part.mp4``, which plays even if the process is killed; on
    leaving, by an error or an interruption too, they are put together as ``path``.

    Args:
        path: The video, ending in .mp4.
        rate: Frames a second.

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
        self._first = self._last = 0
        self._held: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            while self._waiting:
                self._waiting.popleft().result()
        finally:
            self._encoder.shutdown(cancel_futures=True)
            if self._container is not None:
                self._close()

    def add(self, picture: npt.NDArray[np.uint8], index: int) -> None:
        """Take the frame of a number in the video; it is shown until the next that is taken.

        Returns at once, or when not too many frames wait; what failed meanwhile is raised here.

        Args:
            picture: (H, W, 3) uint8 RGB.
            index: Larger than the one before.
        """
        self._submit(self._encode, picture, index)

    def hold(self, index: int) -> None:
        """Show the last frame up to and including the one of a number."""
        self._submit(self._fill, index + 1)

    def _submit(self, work: Callable[..., None], *arguments: Any) -> None:
        self._waiting.append(self._encoder.submit(work, *arguments))
        while len(self._waiting) > WAITING:
            self._waiting.popleft().result()

    def _encode(self, picture: npt.NDArray[np.uint8], index: int) -> None:
        if self._container is None:
            self._begin(picture.shape[0], picture.shape[1])
            self._first = self._last = index
        self._fill(index)
        width, height = self._size
        if picture.shape[:2] != (height, width):
            down, right = height - picture.shape[0], width - picture.shape[1]
            border = cv2.copyMakeBorder(picture, 0, down, 0, right, cv2.BORDER_REPLICATE)
            picture = np.asarray(border, np.uint8)
        self._held = self._av.VideoFrame.from_ndarray(picture, format="rgb24")
        self._mux(index)

    def _fill(self, index: int) -> None:
        """Repeat the last frame up to the one before ``index``: a constant frame rate."""
        if self._held is not None and index - self._last <= LONGEST_HOLD * self.rate:
            for between in range(self._last + 1, index):
                self._mux(between)

    def _mux(self, index: int) -> None:
        self._last = index
        self._held.pts = index - self._first
        self._held.time_base = 1 / self.rate
        self._container.mux(self._stream.encode(self._held))

    def _begin(self, height: int, width: int) -> None:
        """Open the file once the size is known; 4:2:0 wants even sides: an odd one gets a line."""
        codec = next((name for name in CODECS if name in self._av.codecs_available), None)
        if codec is None:
            raise UserError("this build of PyAV encodes no MP4; leave overlay out of --save.")
        self._size = (width + width % 2, height + height % 2)
        flags = "frag_keyframe+empty_moov+default_base_moof"
        fragments = {"movflags": flags, "flush_packets": "1"}
        self._container = self._av.open(str(self._part), "w", options=fragments)
        quality = {"crf": "18", "preset": "veryfast"} if codec == "libx264" else {}
        self._stream = self._container.add_stream(codec, rate=self.rate, options=quality)
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = 1 / self.rate
        self._stream.codec_context.gop_size = max(1, round(2 * self.rate))  # a fragment each 2 s
        if codec == "mpeg4":
            self._stream.bit_rate = 8 * self._size[0] * self._size[1]
        self._stream.codec_context.thread_count = 1  # the network has the other cores

    def _close(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        with (
            self._av.open(str(self._part)) as fragments,
            self._av.open(str(self.path), "w", options={"movflags": "faststart"}) as whole,
        ):
            source = fragments.streams.video[0]
            target = whole.add_stream_from_template(source)
            for packet in fragments.demux(source):
                if packet.dts is not None:
                    packet.stream = target
                    whole.mux(packet)
        self._part.unlink()
