"""Generated video clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

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
    times: Sequence[int] | None = None,
    prepare: Callable[[Any], None] | None = None,
    pixels_as: str = "yuv420p",
    title: str = "",
) -> Path:
    """Frames (H, W, 3) RGB of even sides as a video, an MP4 with its index in front.

    Args:
        path: The file, whose suffix tells the container unless that is named.
        frames: The frames.
        rate: Frames a second.
        container: FFmpeg's name of the container.
        codec: FFmpeg's name of the encoder.
        keyframes: Frames from one that is whole to the next, at most.
        times: Milliseconds at which frames are shown; by the rate where none are given.
        prepare: Sets what else is wanted of the stream, before its first frame.
        pixels_as: FFmpeg's name of how pixels are stored.
        title: A tag of the file.
    """
    import av

    options = {"movflags": "faststart"}
    with av.open(str(path), "w", format=container, options=options) as file:
        if title:
            file.metadata["title"] = title
        chosen = {"crf": "8", "g": str(keyframes)}
        stream = file.add_stream(codec, rate=rate, options=chosen)
        if codec != "libx264":
            stream.bit_rate = 2_000_000
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels_as
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if prepare is not None:
            prepare(stream)
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[index], Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def write_sound(
    path: Path, container: str | None = None, codec: str = "aac", cover: bytes = b""
) -> Path:
    """A file with sound and no video.

    Args:
        path: The file, whose suffix tells the container unless that is named.
        container: FFmpeg's name of the container.
        codec: FFmpeg's name of the encoder.
        cover: A JPEG to go with it, into Matroska.
    """
    import av

    with av.open(str(path), "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=44100)
        if cover:
            file.add_attachment("cover.jpg", "image/jpeg", cover)
        kind = stream.codec_context.format.name
        kinds = {"flt": np.float32, "s16": np.int16, "s32": np.int32}
        silence = np.zeros((1, 4096), kinds[kind[:3]])
        for _ in range(10):
            frame = av.AudioFrame.from_ndarray(silence, format=kind, layout="mono")
            frame.sample_rate = 44100
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
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


def read_shown(path: Path) -> list[tuple[float, Pixels]]:
    """All frames of a video as RGB, each with the second from which it is shown."""
    import av

    with av.open(str(path)) as container:
        shown = container.decode(container.streams.video[0])
        return [(float(frame.time or 0), frame.to_ndarray(format="rgb24")) for frame in shown]


def write_with_cover(path: Path, frames: list[Pixels], cover: Pixels, attached: bool) -> Path:
    """A video behind another track, of a single larger picture.

    Args:
        path: The file.
        frames: The video.
        cover: The picture.
        attached: Whether the file says that it is one.
    """
    import av

    with av.open(str(path), "w") as file:
        tracks = []
        for codec, stored, pixels in (
            ("mjpeg", "yuvj420p", [cover]),
            ("libx264", "yuv420p", frames),
        ):
            stream = file.add_stream(codec, rate=25)
            stream.height, stream.width = pixels[0].shape[:2]
            stream.pix_fmt = stored
            tracks.append((stream, pixels))
        if attached:
            tracks[0][0].disposition = av.stream.Disposition.attached_pic
        for stream, pixels in tracks:
            for one in pixels:
                file.mux(stream.encode(av.VideoFrame.from_ndarray(one, format="rgb24")))
            file.mux(stream.encode(None))
    return path


def slide(image: Pixels, count: int, step: int = 2) -> list[Pixels]:
    """A clip in which the image goes round from right to left."""
    return [np.ascontiguousarray(np.roll(image, -step * n, axis=1)) for n in range(count)]
