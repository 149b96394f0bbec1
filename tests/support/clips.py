"""Generated video clips."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


def write_clip(
    path: Path,
    frames: list[Pixels],
    rate: Fraction | int = 25,
    container: str | None = None,
    codec: str = "libx264",
    keyframes: int = 250,
) -> Path:
    """Frames (H, W, 3) RGB of even sides as a video, an MP4 with its index in front.

    Args:
        path: The file, whose suffix tells the container unless that is named.
        frames: The frames.
        rate: Frames a second.
        container: FFmpeg's name of the container.
        codec: FFmpeg's name of the encoder.
        keyframes: Frames from one that is whole to the next, at most.
    """
    import av

    options = {"movflags": "faststart"}
    with av.open(str(path), "w", format=container, options=options) as file:
        chosen = {"crf": "8", "g": str(keyframes)}
        stream = file.add_stream(codec, rate=rate, options=chosen)
        if codec != "libx264":
            stream.bit_rate = 2_000_000
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for pixels in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        file.mux(stream.encode(None))
    return path


def write_sound(path: Path) -> Path:
    """A file with sound and no picture."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        silence = av.AudioFrame.from_ndarray(
            np.zeros((1, 4096), np.float32), format="fltp", layout="mono"
        )
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    return path


def read_clip(path: Path) -> tuple[list[Pixels], Fraction]:
    """All frames of a video as RGB, and its frame rate."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert rate is not None
    return frames, rate


def slide(image: Pixels, count: int, step: int = 2) -> list[Pixels]:
    """A clip in which the image goes round from right to left."""
    return [np.ascontiguousarray(np.roll(image, -step * n, axis=1)) for n in range(count)]
