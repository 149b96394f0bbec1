"""Clips damaged at random, in every container: frames, or a sentence, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av", reason="the extra video is not installed")

from hierseg.errors import UserError
from hierseg.inference.predictor import Predictor
from hierseg.jobs.clips import run_video
from hierseg.jobs.run_settings import RunSettings
from hierseg.labels import LabelSpace
from hierseg.media.video import Clip, Video
from support.clips import Pixels, slide, write_clip

CONTAINERS: dict[str, tuple[str | None, str, str]] = {
    "a.mp4": (None, "libx264", "yuv420p"),
    "a.mov": (None, "png", "rgba"),
    "a.mkv": (None, "libx264", "yuv420p10le"),
    "b.mkv": (None, "ffv1", "yuv444p"),
    "a.webm": (None, "libvpx", "yuv420p"),
    "b.webm": (None, "libvpx-vp9", "yuv420p"),
    "a.avi": (None, "mpeg4", "yuv420p"),
    "b.avi": (None, "mjpeg", "yuvj420p"),
    "a.ts": (None, "libx264", "yuv420p"),
    "a.m2ts": (None, "mpeg2video", "yuv420p"),
    "a.mpg": (None, "mpeg1video", "yuv420p"),
    "a.vob": ("vob", "mpeg2video", "yuv420p"),
    "a.flv": (None, "flv", "yuv420p"),
    "a.wmv": (None, "wmv2", "yuv420p"),
    "a.mxf": (None, "mpeg2video", "yuv420p"),
    "a.nut": (None, "rawvideo", "yuv420p"),
    "a.ogv": ("ogg", "libvpx", "yuv420p"),
    "a.ivf": (None, "libvpx-vp9", "yuv420p"),
    "a.m4v": ("m4v", "mpeg4", "yuv420p"),
    "raw.mp4": ("h264", "libx264", "yuv420p"),
    "gif.mp4": ("gif", "gif", "rgb8"),
}
"""File -> FFmpeg's names of container (None: by the ending), encoder, and pixels."""
FRAMES = 30
BUDGET = 40
"""Damaged clips of each container."""


def _flip(data: bytearray, random: np.random.Generator) -> None:
    for _ in range(random.integers(1, 65)):
        data[random.integers(len(data))] ^= 1 << int(random.integers(8))


def _flip_in_front(data: bytearray, random: np.random.Generator) -> None:
    for _ in range(random.integers(1, 17)):
        data[random.integers(min(len(data), 1500))] ^= 1 << int(random.integers(8))


def _flip_at_the_end(data: bytearray, random: np.random.Generator) -> None:
    for _ in range(random.integers(1, 17)):
        data[-1 - random.integers(min(len(data), 1500))] = int(random.integers(256))


def _cut(data: bytearray, random: np.random.Generator) -> None:
    del data[random.integers(len(data)) :]


def _leave_out(data: bytearray, random: np.random.Generator) -> None:
    start = random.integers(len(data))
    del data[start : start + random.integers(1, len(data))]


def _blank(data: bytearray, random: np.random.Generator) -> None:
    start = int(random.integers(len(data)))
    end = min(len(data), start + int(random.integers(1, 5000)))
    data[start:end] = bytes([random.choice([0, 255])]) * (end - start)


def _repeat(data: bytearray, random: np.random.Generator) -> None:
    start = int(random.integers(len(data)))
    data[start:start] = data[start : start + int(random.integers(1, 20_000))]


def _insert(data: bytearray, random: np.random.Generator) -> None:
    start = int(random.integers(len(data)))
    data[start:start] = random.bytes(int(random.integers(1, 5000)))


DAMAGES: list[Callable[[bytearray, np.random.Generator], None]] = [
    *(_flip, _flip_in_front, _flip_at_the_end, _cut, _leave_out, _blank, _repeat, _insert)
]


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTAINERS)
def test_damaged_clips_give_frames_or_a_sentence(
    network: Any, space: LabelSpace, image: Pixels, tmp_path: Path, name: str
) -> None:
    container, codec, pixels_as = CONTAINERS[name]
    whole = write_clip(
        tmp_path / name, slide(image, FRAMES), container=container, codec=codec, pixels_as=pixels_as
    )
    content = whole.read_bytes()
    path = tmp_path / "damaged" / name
    path.parent.mkdir()
    predictor = Predictor(network, label_space=space)
    came: Counter[str] = Counter()
    for number in range(BUDGET):
        random = np.random.default_rng([number, *name.encode()])
        data = bytearray(content)
        for _ in range(random.integers(1, 3)):
            DAMAGES[random.integers(len(DAMAGES))](data, random)
            data = data or bytearray(b"x")
        path.write_bytes(data)
        clip = Clip(1, 0.4) if number % 4 == 3 else Clip()
        came[_try(predictor, path, clip, tmp_path / f"out{number}", number % 8 == 0)] += 1
    assert came.total() == BUDGET
    print(f"{name}: {dict(came)}")


def _try(predictor: Predictor, path: Path, clip: Clip, out: Path, write: bool) -> str:
    """What comes of a clip, in a word."""
    try:
        video = Video(path, 1 << 20)
        if write:
            end = 5.0  # damaged times may be years apart
            summary = run_video(
                predictor, video, out, RunSettings(save=("overlay", "labels")), Clip(1, 0, end)
            )
            taken = len(summary.records)
        else:
            taken = sum(1 for _ in islice(video.frames(clip), 4 * FRAMES))
    except UserError:
        return "sentence"
    if video.damage is not None:
        assert str(path) in video.damage
        return "damage said"
    return "frames" if taken else "none"
