"""What `hierseg predict` does where a video is named: an overlay video, and label frames."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hierseg.errors import UsageError, make_printable
from hierseg.wording import count, count_were

if TYPE_CHECKING:
    from pathlib import Path

    from hierseg.inference import Predictor, RunSettings
    from hierseg.inference.video import Clip, Video


def choose_clip(every: int | None, start: float | None, end: float | None) -> Clip:
    """The frames that the flags name; UsageError where there can be none."""
    from hierseg.inference.video import Clip

    return Clip(1 if every is None else every, 0.0 if start is None else start, end)


def refuse_clip(every: int | None, start: float | None, end: float | None, frames: bool) -> None:
    """UsageError where a flag of videos is given and none is named."""
    given = {"--every": every, "--from": start, "--to": end, "--frames": frames or None}
    for flag, value in given.items():
        if value is not None:
            raise UsageError(f"{flag} is for a video, and none is named; leave it out.")


def open_video(sources: Sequence[str], max_pixels: int) -> Video:
    """The one video that is named.

    Raises:
        UsageError: Something else is named beside it, or it does not exist.
        UserError: It is no video that can be read.
    """
    from hierseg.inference.sources import expand_user
    from hierseg.inference.video import Video

    if len(sources) > 1:
        raise UsageError("a video is segmented by itself; name it alone, one run for each.")
    path = expand_user(sources[0])
    if not path.is_file():
        raise UsageError(f"{path} does not exist; check the path.")
    return Video(path, max_pixels)


def segment_video(
    predictor: Predictor,
    video: Video,
    out: Path,
    settings: RunSettings,
    clip: Clip,
    frames: bool,
) -> int:
    """Segment a video and say what was made; 0, or 3 where the video is damaged on its way."""
    from hierseg.commands.progress import make_console
    from hierseg.inference.run_page import write_run_page
    from hierseg.inference.video_run import run_video

    console = make_console(stderr=True)
    summary = run_video(predictor, video, out, settings, clip, frames, console)
    made = out / f"{video.path.stem}_frames"
    if "overlay" in settings.save:
        made = out / f"{video.path.stem}_overlay.mp4"
    if frames:
        made = write_run_page(summary, predictor.label_space, out, "Segmented frames")
    print(f"{count(len(summary.records), 'frame')} segmented: {made.resolve().as_uri()}")
    if video.damage is not None:
        said = f"hierseg: {video.damage}; what comes before is segmented."
        print(make_printable(said), file=sys.stderr)
        return 3
    for source, reason in list(summary.skipped.items())[:1]:
        skipped = count_were(len(summary.skipped), "frame")
        said = f"hierseg: {skipped} skipped, '{source}' first: {reason}."
        print(make_printable(said), file=sys.stderr)
    return 3 if summary.skipped else 0
