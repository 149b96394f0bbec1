"""Decodes in a separate process, so that a damaged or hostile file only costs an error message.

The process has limits of memory and time. If it exceeds one and dies, it is started anew.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt

from hierseg.media import Clip
from hierseg.processes import child_command, child_environment
from hierseg.serving.limits import Limits, Refusal

START_SECONDS = 60.0
"""Seconds within which the process must have started."""
LONGEST_LINE = 1 << 16


@dataclass(frozen=True, eq=False)
class Picked:
    """A frame of a clip.

    Attributes:
        index: Its number in the video.
        time: Seconds from the beginning.
        pixels: (H, W, 3) uint8 RGB.
        pixel_shape: Width of a pixel over its height.
    """

    index: int
    time: float
    pixels: npt.NDArray[np.uint8]
    pixel_shape: Fraction


class Decoder:
    """Reads pictures one by one in another process; a context manager, for use by one thread.

    Args:
        limits: The resolved limits.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._path = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def process(self) -> int | None:
        """Id of the process; None if there is none."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the process and wait until it is ready."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        # Threads of a mathematics library take address space, which is limited.
        environment = {**child_environment(), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            child_command("-m", "hierseg.serving.decoder_process", str(self._limits.decode_memory)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        with self._watched("the decoder", START_SECONDS):
            self._hear("the decoder")

    def close(self) -> None:
        """End the process, whatever it is doing."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def read_picture(self, path: Path, name: str) -> npt.NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB of a file.

        Args:
            path: The file.
            name: Its name at the client, for errors.

        Raises:
            Refusal: It cannot be decoded within the limits.
        """
        self._ask(name, {"path": str(path), "max_pixels": self._limits.max_pixels})
        with self._watched(name):
            return self._take_pixels(name, self._hear(name))

    def read_clip(self, path: Path, name: str, clip: Clip) -> tuple[Fraction, int | None]:
        """Open a clip: its frames a second, and the number of frames to come (None: unknown)."""
        order = {
            "path": str(path),
            "max_pixels": self._limits.max_pixels,
            "clip": [clip.every, clip.start, clip.end],
        }
        self._ask(name, order)
        with self._watched(name):
            about = self._hear(name)
        return Fraction(*about["rate"]), about["count"]

    def read_frames(self, name: str) -> Iterator[Picked]:
        """The frames of the opened clip. Damage ends them silently, unless there is no frame at
        all.
        """
        first = True
        while True:
            if not first:
                self._tell(name, b"next\n")
            with self._watched(name):
                about = self._hear(name)
                if about.get("end"):
                    if first:
                        why = about["damage"] or "there is no frame in it"
                        raise Refusal(422, self._explain(name, why))
                    return
                pixels = self._take_pixels(name, about)
            first = False
            shape = Fraction(*about["pixel_shape"])
            yield Picked(about["index"], about["time"], pixels, shape)

    def _ask(self, name: str, order: Mapping[str, Any]) -> None:
        self.start()
        self._path = order["path"]
        self._tell(name, json.dumps(order).encode() + b"\n")

    def _tell(self, name: str, line: bytes) -> None:
        try:
            pipe = self._pipe("stdin")
            pipe.write(line)
            pipe.flush()
        except OSError as error:
            raise self._died(name) from error

    def _hear(self, name: str) -> dict[str, Any]:
        line = self._pipe("stdout").readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise self._died(name)
        about: dict[str, Any] = json.loads(line)
        if "error" in about:
            status = 413 if about.get("too_large") else 422
            raise Refusal(status, self._explain(name, about["error"]))
        return about

    def _take_pixels(self, name: str, about: Mapping[str, Any]) -> npt.NDArray[np.uint8]:
        height, width = int(about["height"]), int(about["width"])
        if not 0 < height * width <= self._limits.max_pixels:  # a decoder may have been taken over
            self.close()
            raise Refusal(413, f"{name}: {height}x{width} are more pixels than this server takes.")
        pixels = np.empty((height, width, 3), np.uint8)
        view = pixels.data.cast("B")
        pipe, filled = self._pipe("stdout"), 0
        while filled < len(view):
            count = pipe.readinto(view[filled:])  # type: ignore[attr-defined]
            if not count:
                raise self._died(name)
            filled += count
        return pixels

    def _explain(self, name: str, why: str) -> str:
        """A sentence with the file's name at the client."""
        said = why.replace(self._path, name)
        return f"{said}." if said.startswith(name) else f"{name}: {said}."

    def _pipe(self, which: str) -> IO[bytes]:
        pipe: IO[bytes] | None = getattr(self._process, which, None)
        if pipe is None:
            raise OSError("there is no process")
        return pipe

    def _died(self, name: str) -> Refusal:
        self.close()
        return Refusal(
            422, f"{name}: it cannot be decoded within this server's limits of memory and time."
        )

    @contextmanager
    def _watched(self, name: str, seconds: float | None = None) -> Iterator[None]:
        """Kill the process if it takes too long; reading from it then ends."""
        process = self._process
        if process is None:
            raise self._died(name)
        limit = self._limits.decode_seconds if seconds is None else seconds
        watch = threading.Timer(limit, process.kill)
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()
