"""Frames in real time: the newest from a camera, those that are due from a video. Frames for which
the caller was not ready are dropped.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event

from hierseg.media.camera import Camera
from hierseg.media.video import WHOLE, Clip, Frame, Video

LONGEST_GAP = 1.0
"""Seconds without a frame after which a late one is given after all: a video that decodes more
slowly than it plays is shown more slowly."""


def pace_frames(
    source: Camera | Video,
    fps: float | None = None,
    clip: Clip = WHOLE,
    ended: Event | None = None,
) -> Iterator[Frame]:
    """Yield the frames of a camera or a video in real time, or more slowly if the caller is slower.

    Args:
        source: An open camera, or a video.
        fps: Most frames per second, above 0; None for no limit.
        clip: The frames of a video that are taken.
        ended: Event that ends the frames once it is set, also while waiting for a frame.

    Raises:
        UserError: As of the source.
    """
    interval = 0.0 if fps is None else 1 / fps
    ended = ended if ended is not None else Event()
    if isinstance(source, Camera):
        return _pace_camera(source, interval, ended)
    return _pace_video(source.frames(clip), interval, ended)


def _pace_camera(camera: Camera, interval: float, ended: Event) -> Iterator[Frame]:
    due = time.monotonic()
    for frame in camera.frames():
        yield frame
        due = max(due + interval, time.monotonic())
        if ended.wait(due - time.monotonic()):
            return


def _pace_video(frames: Iterator[Frame], interval: float, ended: Event) -> Iterator[Frame]:
    start = shown = -float("inf")
    last = -float("inf")  # time of the frame that was given last
    for frame in frames:
        now = time.monotonic()
        if shown == -float("inf"):
            start = now - frame.time
        if frame.time < last + interval - 1e-6:
            continue
        late = now - (start + frame.time)
        if late > LONGEST_GAP and now - shown > LONGEST_GAP:
            start += late
        elif late > 0 and shown > -float("inf"):
            continue
        if ended.wait(max(0.0, start + frame.time - now)):
            return
        shown, last = time.monotonic(), frame.time
        yield frame
