"""What `hierseg predict` does where a video is named: an overlay video, and label frames."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hierseg.errors import UsageError, make_printable
from hierseg.wording import count, count_were

if TYPE_CHECKING:
    from pathlib import Path

    from hierseg.inference import Predictor
    from hierseg.jobs import RunSettings
    from hierseg.media import Clip, Video


@dataclass(frozen=True)
class SteadyFlags:
    """How predictions of a video are made steady."""

    steady: Literal["blend", "reuse"] | None = None
    """Video: blend each frame's prediction with the last one, moved by the flow between the frames,
    where both agree: labels flicker less. --steady reuse also runs the largest scale only where
    frames differ, which is faster."""
    flow: str | None = None
    """With --steady: what estimates the flow: dis (default), raft:FILE or sdcnet:FILE."""

    def check(self) -> None:
        """UsageError for a flow that nothing needs."""
        if self.flow is not None and self.steady is None:
            raise UsageError("--flow is for --steady; add that, or leave out --flow.")


def choose_clip(every: int | None, start: float | None, end: float | None) -> Clip:
    """The frames that the flags name; UsageError where there can be none."""
    from hierseg.media import Clip

    return Clip(1 if every is None else every, 0.0 if start is None else start, end)


def refuse_clip(
    every: int | None,
    start: float | None,
    end: float | None,
    frames: bool,
    joined: SteadyFlags,
) -> None:
    """UsageError if a flag for videos is given and no video is named."""
    given: dict[str, object] = {"--every": every, "--from": start, "--to": end}
    given |= {"--frames": frames or None, "--steady": joined.steady, "--flow": joined.flow}
    for flag, value in given.items():
        if value is not None:
            raise UsageError(f"{flag} is for a video, and none is named; leave it out.")


def open_video(sources: Sequence[str], max_pixels: int) -> Video:
    """The one video that is named.

    Raises:
        UsageError: Something else is named beside it, or it does not exist.
        UserError: It is not a readable video.
    """
    from hierseg.media import Video, expand_user

    if len(sources) > 1:
        raise UsageError("a video is segmented by itself; name it alone, one run for each.")
    path = expand_user(sources[0])
    if not os.path.lexists(path):
        raise UsageError(f"{path} does not exist; check the path.")
    return Video(path, max_pixels)


def join_frames(predictor: Predictor, joined: SteadyFlags, device: str) -> Predictor:
    """The same predictor, or one that joins frames with those before."""
    if joined.steady is None:
        return predictor
    from hierseg.checkpoint import open_flow
    from hierseg.inference import SteadyPredictor

    if joined.flow is not None and joined.flow.startswith("folder"):
        raise UsageError("--flow folder has flow by the names of frames, and a video has none.")
    if predictor.keep_scales:
        raise UsageError(
            "--steady keeps no single scales; leave attention and scales out of --save."
        )
    where = "cpu" if device == "auto" else device
    options = dataclasses.replace(predictor.segmenter.options, engine=None, precision=None)
    estimator = open_flow(joined.flow or "dis", where)
    return SteadyPredictor(
        predictor.engine, estimator, joined.steady, predictor.label_space, options
    )


def segment_video(
    predictor: Predictor,
    video: Video,
    out: Path,
    settings: RunSettings,
    clip: Clip,
    frames: bool,
) -> int:
    """Segment a video and say what was made; 0, or 3 where something is missing of it."""
    from hierseg.commands.outlook import Outlook
    from hierseg.commands.progress import make_console
    from hierseg.jobs import OVERLAY_MISSING, run_video, write_run_page

    outlook = Outlook(settings.weights, predictor.segmenter)
    outlook.say_frames(video.size, video.count(clip))
    console = make_console(stderr=True)
    summary = run_video(predictor, video, out, settings, clip, frames, console)
    missing = summary.about.get(OVERLAY_MISSING)
    made = out / f"{video.name}_overlay.mp4"
    if "overlay" not in settings.save or not made.exists():
        made = out / f"{video.name}_frames"
    if frames:
        made = write_run_page(summary, predictor.label_space, out, "Segmented frames")
    print(f"{count(len(summary.records), 'frame')} segmented: {made.resolve().as_uri()}")
    if missing is not None:
        _say(f"{missing}; the other outputs of the frames are there.")
    if video.damage is not None:
        _say(f"{video.damage}; what comes before is segmented.")
    elif summary.skipped:
        source, reason = next(iter(summary.skipped.items()))
        skipped = count_were(len(summary.skipped), "frame")
        _say(f"{skipped} skipped, '{source}' first: {reason}.")
    return 3 if missing is not None or video.damage is not None or summary.skipped else 0


def _say(sentence: str) -> None:
    print(make_printable(f"hierseg: {sentence}"), file=sys.stderr)
