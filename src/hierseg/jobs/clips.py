"""Segments a video into label files and an overlay video, usable even if the run is killed."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console

from hierseg.data import FileStatus, read_label_ids
from hierseg.engines import describe_engine, expect_images
from hierseg.errors import UserError
from hierseg.files import FolderLock, remove_leftovers
from hierseg.inference import Prediction, Predictor, SteadyPredictor
from hierseg.jobs.job import Job, Policy, interrupted_after
from hierseg.jobs.pipeline import AHEAD, Reading, run_ahead
from hierseg.jobs.progress import RunProgress
from hierseg.jobs.run_settings import RunSettings, describe_outputs
from hierseg.jobs.summary import Summary, claim_files
from hierseg.jobs.writers import LEGEND, list_outputs, write_legend, write_outputs
from hierseg.labels import LabelSpace
from hierseg.media import WHOLE, Clip, Frame, OverlayVideo, Video, render_overlay, write_picture
from hierseg.pages import FILE as PAGE
from hierseg.pages import FOLDER, ImageRecord, list_panels

Picture = npt.NDArray[np.uint8]
OVERLAY_MISSING = "overlay_missing"
"""Key of ``Summary.about`` for why the overlay video ends early or does not exist."""


def run_video(
    predictor: Predictor,
    video: Video,
    out: Path,
    settings: RunSettings,
    clip: Clip = WHOLE,
    frames: bool = False,
    console: Console | None = None,
) -> Summary:
    """Segment a video into ``STEM_overlay.mp4``, with the same frame rate, and files of each frame.

    Frames that an earlier run has segmented are not segmented again; the overlay video is written
    again, for those frames from their label files.

    Args:
        predictor: The predictor, with ``keep_scales`` if ``settings.save`` needs it.
        video: The video; its ``damage`` is set afterwards.
        out: Folder of the outputs, ``legend.json`` and ``summary.json``; created if missing.
        settings: The outputs: ``overlay`` is the video, all others are files of each frame,
            ``STEM_frames/000123_KIND.png``, with the frame's number in the video.
        clip: The frames to take.
        frames: Also write each frame, ``..._image.png``, its overlay, ``..._overlay.jpg``, and the
            pictures for a page of all frames.
        console: Where progress is shown; None for nowhere.

    Returns:
        The summary of all frames that are done.

    Raises:
        UsageError: ``out`` holds outputs that were made with other weights or settings.
        UserError: No frame could be decoded, or another run writes into ``out``.
        OSError: The outputs cannot be written.
        KeyboardInterrupt: The run was interrupted; overlay video and summary hold what is done.
    """
    with FolderLock(out):
        summary = _prepare(predictor, video, out, settings, clip, frames)
        overlay = None
        with ExitStack() as stack:
            if "overlay" in settings.save:
                path = out / f"{video.name}_overlay.mp4"
                overlay = stack.enter_context(OverlayVideo(path, video.rate))
            progress = stack.enter_context(RunProgress(video.count(clip), console, "frames"))
            space = predictor.label_space
            policy = _FramePolicy(
                video, out, settings, frames, summary, overlay, space, progress.say
            )
            job = Job(policy, summary, out, settings.batch, settings.workers)
            job.progress = progress
            expect_images(predictor.engine, progress.total, progress.say)
            try:
                _segment(job, policy, predictor, clip)
                if overlay is not None:
                    overlay.hold(round(video.shown_until * video.rate) - 1)
                summary.complete = video.damage is None
                if chosen := describe_engine(predictor.engine):
                    summary.about["engine"] = chosen
            except KeyboardInterrupt:
                done = f"{len(summary.records)} frames"
                raise interrupted_after(done, settings.overwrite) from None
            finally:
                job.sort(sorted(summary.records))
                summary.finish(out)
        if overlay is not None and overlay.failure is not None:  # only known after it is closed
            summary.about[OVERLAY_MISSING] = overlay.failure
            summary.write(out)
    if not summary.records:
        raise UserError(f"{_why_nothing(video, summary)}.")
    return summary


def _why_nothing(video: Video, summary: Summary) -> str:
    """Why no frame was segmented."""
    if video.damage is not None:
        return video.damage
    for reason in summary.skipped.values():
        return f"no frame of {video.path} could be segmented: {reason}"
    return f"{video.path} has no frame between --from and --to; give other times"


def _prepare(
    predictor: Predictor, video: Video, out: Path, settings: RunSettings, clip: Clip, frames: bool
) -> Summary:
    """Create the folders, and read what an earlier run has done."""
    out.mkdir(parents=True, exist_ok=True)
    stem = video.name
    described = describe_video_run(predictor, settings, video, clip, frames)
    remove_leftovers(out)
    summary = Summary.open(out, described, settings.overwrite)
    files = [LEGEND, *([PAGE] if frames else []), *_list_frames(out, f"{stem}_frames")]
    if "overlay" in settings.save and not summary.taken_up:  # else the settings name this video
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
    """Existing files that have the names of frames' outputs, relative to ``out``."""
    return [
        path.relative_to(out).as_posix()
        for place in (out / folder, out / FOLDER / folder)
        for path in place.glob("[0-9]*_*")
        if path.name.partition("_")[0].isdecimal()
    ]


def describe_video_run(
    predictor: Predictor, settings: RunSettings, video: Video, clip: Clip, frames: bool
) -> dict[str, object]:
    """The settings on which the outputs depend, including the video, since frames are recorded by
    number alone.
    """
    status = video.path.stat()
    return {
        **describe_outputs(predictor, settings),
        **(
            {"steady": predictor.describe_steady()}
            if isinstance(predictor, SteadyPredictor)
            else {}
        ),
        "video": os.path.abspath(video.path),  # noqa: PTH100 - links keep their own names
        "video_bytes": status.st_size,
        "video_modified": status.st_mtime_ns,
        "every": clip.every,
        "from": clip.start,
        "to": clip.end,
        "frames": frames,
    }


class _FramePolicy(Policy[Frame, ImageRecord]):
    """What a run over a video does with a frame."""

    def __init__(
        self,
        video: Video,
        out: Path,
        settings: RunSettings,
        frames: bool,
        summary: Summary,
        overlay: OverlayVideo | None,
        space: LabelSpace,
        say: Callable[[str], None],
    ) -> None:
        self.video, self.out, self.summary = video, out, summary
        self.overlay, self.frames, self.space, self.say = overlay, frames, space, say
        each = settings.save if frames else [key for key in settings.save if key != "overlay"]
        self.save, self.look = list(each), settings.look
        self._pictures: dict[int, Picture] = {}  # overlays of frames not yet added to the video
        self._shown = (-1, math.inf)  # tick of the last frame added, and its distance from the tick
        self._facts: dict[int, str] = {}
        self._division = ""

    def key(self, item: Frame) -> str:
        return f"{self.video.path.name} frame {item.index:06d}"

    def list_files(self, record: ImageRecord) -> Sequence[str]:
        return record.files

    def claim(self, item: Frame, prediction: Prediction) -> None:
        name = self._name(item)
        scales = [*(prediction.per_scale or {}), *(prediction.attention or {})]
        files = [*list_outputs(name, self.save, scales), *list_panels(name, self.save, scales)]
        self.summary.claim([*files, f"{name}_image.png"], self.key(item))

    def write(
        self, item: Frame, prediction: Prediction, seconds: float, status: FileStatus
    ) -> ImageRecord:
        """Write a frame's files and draw its overlay."""
        name = self._name(item)
        record = write_outputs(
            prediction,
            self.out,
            name,
            self.save,
            source=self.key(item),
            bytes=status.size,
            modified=status.modified,
            seconds=seconds,
            pictures=self.frames,
            look=self.look,
        )
        record.facts.append(f"{item.time:.2f} s")
        record.facts.extend(filter(None, [self._facts.pop(item.index, "")]))
        if self.frames:
            image = write_picture(self.out / f"{name}_image.png", item.pixels)
            record.files.append(image.relative_to(self.out).as_posix())
        self._draw(item, prediction.labels)
        return record

    def take_up(self, item: Frame, record: ImageRecord) -> None:
        """Draw the overlay of a frame that an earlier run has segmented, from its label file."""
        if self.overlay is not None:
            self._draw(item, read_label_ids(self.out / f"{self._name(item)}_labels.png"))

    def divide(self, item: Frame, how: str, reason: str) -> None:
        self._facts[item.index] = f"run in {how}: {reason}"
        if how != self._division:  # all frames have one size, so one message is enough
            self._division = how
            self.say(f"{reason}; frames are run in {how}")

    def end(self, item: Frame, record: ImageRecord | None) -> None:
        picture = self._pictures.pop(item.index, None)
        if self.overlay is not None and record is not None and picture is not None:
            self._show(self.overlay, item, picture)

    def _name(self, frame: Frame) -> str:
        return f"{self.video.name}_frames/{frame.index:06d}"

    def _draw(self, frame: Frame, labels: Picture) -> None:
        if self.overlay is not None:
            self._pictures[frame.index] = render_overlay(
                frame.pixels, labels, self.space, names=self.look.names
            )

    def _show(self, overlay: OverlayVideo, frame: Frame, picture: Picture) -> None:
        """Add a frame to the overlay video, unless a frame nearer to its tick was added."""
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


def _segment(
    job: Job[Frame, ImageRecord], policy: _FramePolicy, predictor: Predictor, clip: Clip
) -> None:
    """Segment the frames in order; those that are done are only added to the overlay video."""
    reusable = "labels" in policy.save or policy.overlay is None
    decoded = run_ahead(policy.video.frames(clip), AHEAD + job.batch - 1)
    try:
        job.run_readings(
            predictor,
            (
                Reading(frame, None if reusable and job.is_done(frame) else frame.pixels)
                for frame in decoded
            ),
        )
    finally:
        decoded.close()
