"""What `hierseg predict --show` does: a camera or a clip on a page of this machine, as it runs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hierseg.errors import UsageError, make_printable
from hierseg.wording import count, count_rate

if TYPE_CHECKING:
    from collections import deque

    from hierseg.inference import Prediction, Predictor
    from hierseg.jobs import Recording, RunSettings
    from hierseg.media import Camera, Clip, Video
    from hierseg.serving import LivePage

AVERAGED = 20
"""Frames over which the rate is averaged."""


@dataclass(frozen=True)
class LiveFlags:
    """How a camera or a clip is shown while it runs."""

    show: bool = False
    """Camera (its number, such as 0) or video: show it on a page of this machine while it runs.
    Frames that come faster than the network runs are dropped. Nothing is written unless --out is
    given."""
    fps: float | None = None
    """With --show: most frames to show in a second."""
    port: int = 0
    """With --show: port of the page; 0 takes one that is free."""

    def check(self, sources: Sequence[str], out: Path | None) -> None:
        """UsageError for flags that need --show, and for a missing --out."""
        for flag, value in (("--fps", self.fps), ("--port", self.port or None)):
            if value is not None and not self.show:
                raise UsageError(f"{flag} is for --show; add that, or leave it out.")
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise UsageError(f"--fps {self.fps:g} shows nothing; give a number above 0.")
        if not self.show and len(sources) == 1 and is_camera(sources[0]):
            raise UsageError(
                f"a camera is shown while it runs: `hierseg predict {sources[0]} --show`; with "
                "--out it is kept, too."
            )
        if not self.show and out is None:
            raise UsageError("--out is missing; name a folder for all outputs, as --out seen.")


def is_camera(source: str) -> bool:
    """Whether a source is a camera's number, and no file of that name."""
    return source.isascii() and source.isdecimal() and not os.path.lexists(source)


class Live(NamedTuple):
    """What is shown.

    Attributes:
        source: Number of a camera, or a video.
        clip: Of a video, the frames that are taken.
        out: Where it is kept; None for nowhere.
    """

    source: int | Video
    clip: Clip
    out: Path | None

    @property
    def name(self) -> str:
        """What outputs are called."""
        return f"camera{self.source}" if isinstance(self.source, int) else self.source.name

    @property
    def title(self) -> str:
        """What the page is called."""
        return f"camera {self.source}" if isinstance(self.source, int) else self.source.path.name


def choose_live(
    sources: Sequence[str], clip: Clip, out: Path | None, max_pixels: int, overwrite: bool
) -> Live:
    """What the words name.

    Raises:
        UsageError: It is neither one camera nor one video, or a part of a camera's time; or an
            earlier recording is in the way.
    """
    from hierseg.jobs import require_unrecorded

    live = _choose_source(sources, clip, out, max_pixels)
    if out is not None and not overwrite:
        require_unrecorded(out, live.name)
    return live


def _choose_source(sources: Sequence[str], clip: Clip, out: Path | None, max_pixels: int) -> Live:
    from hierseg.commands.video import open_video
    from hierseg.media import is_video

    if len(sources) != 1 or not (is_camera(sources[0]) or is_video(sources[0])):
        if len(sources) == 1 and not os.path.lexists(os.path.expanduser(sources[0])):  # noqa: PTH111
            raise UsageError(f"{sources[0]} does not exist; check the path.")
        raise UsageError("--show is for one camera (its number, such as 0) or one video.")
    if is_camera(sources[0]):
        if clip.start or clip.end is not None or clip.every != 1:
            raise UsageError("--every, --from and --to are for a video; leave them out.")
        return Live(int(sources[0]), clip, out)
    return Live(open_video(sources, max_pixels), clip, out)


class Ready(NamedTuple):
    """What a stream is shown by.

    Attributes:
        predictor: Segments.
        settings: What is kept of a frame.
        about: How it is run, in a line.
    """

    predictor: Predictor
    settings: RunSettings
    about: str


def show_live(live: Live, flags: LiveFlags, prepare: Callable[[], Ready]) -> int:
    """Show a stream until it ends or Ctrl-C does; say how many frames there were.

    Args:
        live: What is shown.
        flags: How.
        prepare: Loads the weights, which takes a while, once the rest is found to be possible.
    """
    from hierseg.jobs import Recording
    from hierseg.serving import LivePage

    shown, problem = 0, None
    recording: Recording | None = None
    with ExitStack() as stack:
        source = stack.enter_context(_open(live))
        page = stack.enter_context(LivePage(live.title, flags.port))
        predictor, settings, page.about = prepare()
        if live.out is not None:
            kept = settings.save, settings.look, settings.overwrite
            recording = stack.enter_context(
                Recording(live.out, live.name, predictor.label_space, *kept)
            )
        print(f"{live.title}: {page.address}\nCtrl-C ends it.", flush=True)
        try:
            for prediction in _predict(predictor, source, live, flags, page):
                shown += 1
                if recording is not None:
                    recording.add(prediction)
            page.end("The stream has ended.")
            time.sleep(0.2)  # for the page to be told
        except KeyboardInterrupt:
            page.end("The stream was ended.")
    if recording is not None:
        problem = recording.failure
    where = "nothing was kept" if live.out is None else f"kept in {live.out}"
    print(make_printable(f"{count(shown, 'frame')} shown; {where}."))
    damage = getattr(live.source, "damage", None) or problem
    if damage:
        print(make_printable(f"hierseg: {damage}."), file=sys.stderr)
    return 0 if not damage else 3


@contextmanager
def _open(live: Live) -> Iterator[Camera | Video]:
    from hierseg.media import Camera

    if not isinstance(live.source, int):
        yield live.source
        return
    with Camera(live.source) as camera:
        yield camera


def _predict(
    predictor: Predictor, source: Camera | Video, live: Live, flags: LiveFlags, page: LivePage
) -> Iterator[Prediction]:
    """Predictions of frames, each shown as soon as it is there."""
    from collections import deque
    from dataclasses import replace

    from hierseg.media import pace_frames

    came: deque[float] = deque(maxlen=AVERAGED)
    for frame in pace_frames(source, flags.fps, live.clip):
        start = time.monotonic()
        prediction = replace(predictor(frame.pixels), frame=frame.index, time=frame.time)
        came.append(time.monotonic())
        page.show(prediction, _describe(prediction, came, came[-1] - start))
        yield prediction


def _describe(prediction: Prediction, came: deque[float], seconds: float) -> dict[str, str]:
    """What the page says of a frame."""
    height, width = prediction.labels.shape
    facts = {"frame": str(prediction.frame), "time": f"{prediction.time:.1f} s"}
    if len(came) > 1:
        facts["rate"] = count_rate((came[-1] - came[0]) / (len(came) - 1), "frames")
    network = f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
    return facts | {"network": network, "size": f"{width}x{height}"}
