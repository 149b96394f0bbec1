"""A camera of this machine, as a stream of frames."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Condition, Thread
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np

from hierseg.errors import UserError
from hierseg.media.video import Frame

PATIENCE = 10.0
"""Seconds without a picture after which the camera is taken to have ended."""


class Camera:
    """A camera, as a context manager. A thread reads its pictures all the time, so that even a slow
    caller gets the newest one.

    Args:
        number: Number of the camera, from 0.

    Raises:
        UserError: It cannot be opened, or, from ``frames``, it gives no picture.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(0)  # OpenCV would print the error that is raised below
        try:
            self._capture = cv2.VideoCapture(number)
        finally:
            cv2.utils.logging.setLogLevel(level)
        if not self._capture.isOpened():
            self._capture.release()
            raise UserError(
                f"camera {number} cannot be opened; check that it is connected, that you may use "
                "it, and that no other program uses it."
            )
        self._news, self._ended = Condition(), False
        self._newest: tuple[int, float, Any] | None = None
        self._start = time.monotonic()
        self._thread = Thread(target=self._take, name="camera", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the camera."""
        with self._news:
            self._ended = True
            self._news.notify_all()
        self._thread.join(PATIENCE)
        self._capture.release()

    def frames(self) -> Iterator[Frame]:
        """Yield the newest picture each time one is asked for, each at most once.

        ``index`` counts all pictures of the camera, and ``time`` is in seconds since it was opened.

        Raises:
            UserError: The camera gives no picture at all.
        """
        any_came = False
        while newest := self._wait():
            any_came, (index, seconds, picture) = True, newest
            pixels = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
            yield Frame(index, seconds, pixels)
        if not any_came:
            raise UserError(
                f"camera {self.number} gives no picture; check that no other program uses it."
            )

    def _wait(self) -> tuple[int, float, Any] | None:
        """Wait for the next new picture; None if the camera has ended."""
        with self._news:
            self._news.wait_for(lambda: self._ended or self._newest is not None, PATIENCE)
            newest, self._newest = self._newest, None
            return newest

    def _take(self) -> None:
        index = 0
        while not self._ended:
            there, picture = self._capture.read()
            with self._news:
                if there:
                    self._newest = index, time.monotonic() - self._start, picture
                    index += 1
                else:
                    self._ended = True
                self._news.notify_all()
