"""The policy of a video run: label frames and an overlay video, both usable whatever ends it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rich.console import Console

from hierseg.data import read_label_ids
from hierseg.errors import UserError
from hierseg.files import FolderLock, remove_leftovers
from hierseg.inference import Prediction, Predictor
from hierseg.jobs.claims import claim_files
from hierseg.jobs.images import RunSettings, describe_outputs, interrupted_after, is_due
from hierseg.jobs.outputs import write_outputs
from hierseg.jobs.pipeline import AHEAD, Pipeline, Reading, run_ahead
from hierseg.jobs.progress import RunProgress
from hierseg.jobs.summary import Summary
from hierseg.jobs.writers import LEGEND, list_outputs, write_legend
from hierseg.media import WHOLE, Clip, Frame, OverlayVideo, Video, render_overlay, write_picture
from hierseg.pages import FILE as PAGE
from hierseg.pages import FOLDER, ImageRecord, list_panels

Picture = npt.NDArray[np.uint8]
OVERLAY_MISSING = "overlay_missing"
"""In what a summary says about the run: why the overlay video ends early, or is not there."""


def run_video(
    predictor: Predictor,
    video: Video,
    out: Path,
    settings: RunSettings,
    clip: Clip = WHOLE,
    frames: bool = False,
    console: Console | None = None,
) -> Summary:
    """Segment a video into ``STEM_overlay.mp4``, of the same frame rate, and files of each frame.

    Frames that an earlier run has segmented are not segmented again; the overlay video is made
    anew from their label files.

    Args:
        predictor: With ``keep_scales`` where ``settings.save`` needs it.
        video: The video; its ``damage`` says afterwards what it lacks.
        out: Folder of the outputs, ``legend.json`` and ``summary.json``; made where it is not.
        settings: What is written: ``overlay`` is the video; all else are files of each frame,
            ``STEM_frames/000123_KIND.png``, by the frame's number in the video.
        clip: Which frames are taken.
        frames: Write each frame itself, ``..._image.png``, and its overlay, ``..._overlay.jpg``,
            and the pictures for a page of all frames.
        console: For progress; None for none.

    Raises:
        UsageError: ``out`` holds outputs that were made with other weights or settings.
        UserError: No frame could be decoded.
        OSError: The outputs cannot be written.
        KeyboardInterrupt: As it came; overlay video and summary hold what is done.
    """
    with FolderLock(out):
        summary = _prepare(predictor, video, out, settings, clip, frames)
        overlay = None
        with ExitStack() as stack:
            if "overlay" in settings.save:
                path = out / f"{video.name}_overlay.mp4"
                overlay = stack.enter_context(OverlayVideo(path, video.rate))
            progress = stack.enter_context(RunProgress(video.count(clip), console, "frames"))
            run = _VideoRun(video, out, settings, frames, summary, overlay, progress)
            try:
                run.segment(predictor, clip)
                if overlay is not None:
                    overlay.hold(round(video.shown_until * video.rate) - 1)
                summary.complete = video.damage is None
            except KeyboardInterrupt:
                done = len(summary.records)
                raise interrupted_after(done, "frames", settings.overwrite) from None
            finally:
                summary.records = dict(sorted(summary.records.items()))
                summary.finish(out)
        if overlay is not None and overlay.failure is not None:  # known once it is closed
            summary.about[OVERLAY_MISSING] = overlay.failure
            summary.write(out)
    if not summary.records:
        raise UserError(f"{_why_nothing(video, summary)}.")
    return summary


def _why_nothing(video: Video, summary: Summary) -> str:
    """Why there is no frame."""
    if video.damage is not None:
        return video.damage
    for reason in summary.skipped.values():
        return f"no frame of {video.path} could be segmented: {reason}"
    return f"{video.path} has no frame between --from and --to"


def _prepare(
    predictor: Predictor, video: Video, out: Path, settings: RunSettings, clip: Clip, frames: bool
) -> Summary:
    """Make the folders, and take up what an earlier run has done."""
    out.mkdir(parents=True, exist_ok=True)
    stem = video.name
    described = describe_video_run(predictor, settings, video, clip, frames)
    remove_leftovers(out)
    summary = Summary.open(out, described, settings.overwrite)
    files = [LEGEND, *([PAGE] if frames else []), *_list_frames(out, f"{stem}_frames")]
    if "overlay" in settings.save and not summary.taken_up:  # by its settings it is this video's
        files += [f"{stem}_overlay.mp4", f"{stem}_overlay.part.mp4"]
    claimed = claim_files(out, files, summary, settings.overwrite)
    summary.begin(out)
    summary.claim(claimed)
    out.joinpath(f"{stem}_frames").mkdir(exist_ok=True)
    if frames:
        out.joinpath(FOLDER, f"{stem}_frames").mkdir(parents=True, exist_ok=True)
    about = {"weights": settings.weights, "label_space": predictor.label_space.name}
    summary.about = {**about, "frame_rate": float(video.rate)}
    write_legend(predictor.label_space, out)
    return summary


def _list_frames(out: Path, folder: str) -> list[str]:
    """What there is already under the names that files of frames have."""
    return [
        path.relative_to(out).as_posix()
        for place in (out / folder, out / FOLDER / folder)
        for path in place.glob("[0-9]*_*")
        if path.name.partition("_")[0].isdecimal()
    ]


def describe_video_run(
    predictor: Predictor, settings: RunSettings, video: Video, clip: Clip, frames: bool
) -> dict[str, object]:
    """What the outputs depend on, the video included: its frames are known by number alone."""
    status = video.path.stat()
    return {
        **describe_outputs(predictor, settings),
        "video": os.path.abspath(video.path),  # noqa: PTH100 - links keep their own names
        "video_bytes": status.st_size,
        "video_modified": status.st_mtime_ns,
        "every": clip.every,
        "from": clip.start,
        "to": clip.end,
        "frames": frames,
    }


class _Written(NamedTuple):
    """A frame whose files are there, and its overlay where a video of them is made."""

    frame: Frame
    record: ImageRecord
    picture: Picture | None


class _VideoRun:
    """What a video run does with a frame as it is read, written and finished."""

    def __init__(
        self,
        video: Video,
        out: Path,
        settings: RunSettings,
        frames: bool,
        summary: Summary,
        overlay: OverlayVideo | None,
        progress: RunProgress,
    ) -> None:
        self.video, self.out, self.summary = video, out, summary
        self.overlay, self.progress, self.frames = overlay, progress, frames
        each = settings.save if frames else [key for key in settings.save if key != "overlay"]
        self.save, self.batch = list(each), settings.batch
        self._written = time.monotonic()
        self._shown = (-1, math.inf)  # tick of the last frame given to the overlay, and how far off
        self._facts: dict[int, str] = {}
        self._long_edge = 0

    def segment(self, predictor: Predictor, clip: Clip) -> None:
        """Segment the frames in order, but for those that are done."""
        self._space = predictor.label_space
        pipeline = Pipeline(
            predictor, self.batch, self._write, self._finish, self._skip, self._shrink
        )
        decoded = run_ahead(self.video.frames(clip), AHEAD + self.batch - 1)
        try:
            pipeline.run(self._readings(decoded))
        finally:
            decoded.close()

    def _name(self, frame: Frame) -> str:
        return f"{self.video.name}_frames/{frame.index:06d}"

    def _source(self, frame: Frame) -> str:
        return f"{self.video.path.name} frame {frame.index:06d}"

    def _write(self, frame: Frame, prediction: Prediction | None, seconds: float) -> _Written:
        """Write a frame's files and draw its overlay; in a writer's thread."""
        if prediction is None:  # an earlier run has written them
            record = self.summary.records[self._source(frame)]
            labels = None
            if self.overlay is not None:
                labels = read_label_ids(self.out / f"{self._name(frame)}_labels.png")
        else:
            record = self._write_files(frame, prediction, seconds)
            labels = prediction.labels
        picture = None
        if self.overlay is not None and labels is not None:
            picture = render_overlay(frame.pixels, labels, self._space)
        return _Written(frame, record, picture)

    def _write_files(self, frame: Frame, prediction: Prediction, seconds: float) -> ImageRecord:
        name = self._name(frame)
        scales = [*(prediction.per_scale or {}), *(prediction.attention or {})]
        files = [*list_outputs(name, self.save, scales), *list_panels(name, self.save, scales)]
        self.summary.claim([*files, f"{name}_image.png"], self._source(frame))
        record = write_outputs(
            prediction,
            self.out,
            name,
            self.save,
            source=self._source(frame),
            bytes=0,
            modified=0,
            seconds=seconds,
            pictures=self.frames,
        )
        record.facts.append(f"{frame.time:.2f} s")
        record.facts.extend(filter(None, [self._facts.pop(frame.index, "")]))
        if self.frames:
            image = write_picture(self.out / f"{name}_image.png", frame.pixels)
            record.files.append(image.relative_to(self.out).as_posix())
        return record

    def _finish(self, written: _Written) -> None:
        self.summary.add(written.record)
        if self.overlay is not None and written.picture is not None:
            self._show(self.overlay, written.frame, written.picture)
        self.progress.advance()
        if is_due(self._written, len(self.summary.records)):
            self.summary.write(self.out)
            self._written = time.monotonic()

    def _show(self, overlay: OverlayVideo, frame: Frame, picture: Picture) -> None:
        """Give a frame to the overlay video, unless one that is nearer to the tick is there."""
        position = frame.time * float(self.video.rate)
        tick = round(position)
        distance = abs(position - tick)
        if tick == self._shown[0] and distance >= self._shown[1]:
            return
        self._shown = tick, distance
        overlay.pixel_shape = frame.pixel_shape
        overlay.add(picture, tick)
        if overlay.failure is not None and not self.save:
            raise UserError(f"{overlay.failure}; leave overlay out of --save.")

    def _shrink(self, frame: Frame, long_edge: int, reason: str) -> None:
        self._facts[frame.index] = f"run at a long edge of {long_edge}: {reason}"
        if long_edge != self._long_edge:  # all frames have one size: it is said once
            self._long_edge = long_edge
            self.progress.say(f"{reason}; frames are run at --long-edge {long_edge}")

    def _skip(self, frame: Frame, reason: str) -> None:
        self.summary.skipped[self._source(frame)] = reason
        self.progress.advance()

    def _readings(self, frames: Iterator[Frame]) -> Iterator[Reading[Frame]]:
        """Frames for the network, and those that are done already for the overlay video alone."""
        reusable = "labels" in self.save or self.overlay is None
        for frame in frames:
            record = self.summary.records.get(self._source(frame))
            done = record is not None and all((self.out / file).is_file() for file in record.files)
            yield Reading(frame, None if done and reusable else frame.pixels)
