"""Saves a stream that is shown: an overlay video, and files of each frame."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

from hierseg.errors import UsageError
from hierseg.files import FolderLock
from hierseg.inference import PLAIN, WRITERS, Look, Prediction
from hierseg.jobs.writers import LEGEND, write_legend
from hierseg.labels import LabelSpace
from hierseg.media import OverlayVideo

RATE = Fraction(25)
"""Frames per second of the overlay video; each frame is shown until the time of the next."""


def _list_places(out: Path, name: str) -> tuple[Path, Path]:
    """The paths of the video and of the folder of frames."""
    return out / f"{name}_overlay.mp4", out / f"{name}_frames"


def require_unrecorded(out: Path, name: str) -> None:
    """UsageError if a recording of this name would replace a file."""
    for path in (*_list_places(out, name), out / LEGEND):
        if path.exists():
            raise UsageError(
                f"{path} exists; choose another --out, or add --overwrite to replace an earlier "
                "recording."
            )


class Recording:
    """Writes ``NAME_overlay.mp4`` and ``NAME_frames/000123_KIND.png``; a context manager.

    Args:
        out: The folder; created if it does not exist.
        name: Common beginning of the files' names.
        space: Label space of the predictions, for ``legend.json``.
        save: The outputs: ``overlay`` is the video, all others are files of each frame.
        look: How classes are shown.
        overwrite: Replace an earlier recording of this name.

    Attributes:
        frames: Number of frames that were saved.

    Raises:
        UsageError: There is an earlier recording of this name.
        UserError: Another run writes into the folder.
    """

    def __init__(
        self,
        out: Path,
        name: str,
        space: LabelSpace,
        save: tuple[str, ...],
        look: Look = PLAIN,
        overwrite: bool = False,
    ) -> None:
        self.out, self.name, self.space, self.save, self.look = out, name, space, save, look
        self.video_path, self.folder = _list_places(out, name)
        self.frames = 0
        if not overwrite:
            require_unrecorded(out, name)
        self._stack = ExitStack()
        self._video: OverlayVideo | None = None

    def __enter__(self) -> Self:
        self._stack.enter_context(FolderLock(self.out))
        self.folder.mkdir(parents=True, exist_ok=True)
        write_legend(self.space, self.out)
        if "overlay" in self.save:
            self._video = self._stack.enter_context(OverlayVideo(self.video_path, RATE))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def failure(self) -> str | None:
        """Why the video lacks frames; None if it does not."""
        return None if self._video is None else self._video.failure

    def add(self, prediction: Prediction) -> None:
        """Save the prediction for a frame, by the frame's number and time.

        Raises:
            OSError: A file cannot be written.
        """
        frame, time = prediction.frame or 0, prediction.time or 0.0
        if self._video is not None:
            self._video.add(prediction.overlay(names=self.look.names), round(time * RATE))
        for key in self.save:
            if key != "overlay":
                WRITERS[key](prediction, self.folder, f"{frame:06d}", self.look)
        self.frames += 1
