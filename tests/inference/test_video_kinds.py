"""Clips as cameras and editors leave them: what is shown, when, and in what shape."""

from __future__ import annotations

import json
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av", reason="the extra video is not installed")

from hierseg.inference.predictor import Predictor
from hierseg.jobs.clips import run_video
from hierseg.jobs.run_settings import RunSettings
from hierseg.jobs.summary import Summary
from hierseg.labels import LabelSpace
from hierseg.media.video import WHOLE, Clip, Video
from support.clips import Pixels, read_clip, read_shown, slide, write_clip, write_with_cover

BURST = [10 * n for n in range(30)] + [300 + 100 * n for n in range(60)]
"""Milliseconds: thirty frames at 100 a second, then sixty at 10."""


@pytest.fixture
def predictor(network: Any, space: LabelSpace) -> Predictor:
    return Predictor(network, label_space=space)


def _run(predictor: Predictor, video: Video, out: Path, clip: Clip = WHOLE) -> Summary:
    return run_video(predictor, video, out, RunSettings(save=("overlay", "labels")), clip)


def _count(number: int) -> Pixels:
    """A picture that carries a number in three colours, as the stub network tells them apart."""
    colors = np.array([(250, 10, 10), (20, 240, 30), (40, 50, 230)], np.uint8)
    digits = [number // 3**place % 3 for place in range(6)]
    return np.repeat(np.repeat(colors[digits][None], 48, 0), 16, 1)


def _read_count(pixels: Pixels) -> int:
    colors = np.array([(250, 10, 10), (20, 240, 30), (40, 50, 230)])
    middle = pixels[24, 8::16].astype(int)
    digits = np.abs(middle[:, None] - colors).sum(2).argmin(1)
    return int(sum(digit * 3**place for place, digit in enumerate(digits)))


def _check_shown(overlay: Path, times: list[int], within: float) -> None:
    """Each frame of an overlay video is shown at its own time, from the first to the last."""
    shown = read_shown(overlay)
    first = shown[0][0]
    assert first == 0
    for time, pixels in shown:
        number = _read_count(pixels)
        begins = times[number] / 1000
        ends = times[min(number + 1, len(times) - 1)] / 1000
        assert begins - within <= time <= max(ends, begins) + within, (time, number)
    assert {_read_count(shown[0][1]), _read_count(shown[-1][1])} >= {len(times) - 1}


@pytest.mark.parametrize("name", ["drive.mp4", "drive.mkv", "drive.mov"])
def test_after_a_burst_frames_are_shown_at_their_own_times(
    predictor: Predictor, tmp_path: Path, name: str
) -> None:
    frames = [_count(n) for n in range(len(BURST))]
    video = Video(write_clip(tmp_path / name, frames, 25, times=BURST))
    assert video.rate == 10
    summary = _run(predictor, video, tmp_path / "out")
    assert len(summary.records) == len(BURST)  # labels of each, also of those that share a tick
    assert summary.complete
    overlay = tmp_path / "out" / "drive_overlay.mp4"
    _check_shown(overlay, BURST, 0.051)
    for time, pixels in read_shown(overlay):  # of those that share a tick, the nearest
        nearest = min(abs(one / 1000 - time) for one in BURST)
        assert abs(BURST[_read_count(pixels)] / 1000 - time) == pytest.approx(nearest, abs=1e-3)
    assert len(read_clip(overlay)[0]) == 63


@pytest.mark.parametrize("name", ["drive.mp4", "drive.mkv", "drive.avi"])
def test_a_stated_rate_that_the_times_deny_is_not_taken(
    predictor: Predictor, tmp_path: Path, name: str
) -> None:
    times = [66 * n for n in range(120)]
    codec = "mpeg4" if name == "drive.avi" else "libx264"
    frames = [_count(n) for n in range(120)]
    video = Video(write_clip(tmp_path / name, frames, 1000, times=times, codec=codec))
    assert float(video.rate) == pytest.approx(1000 / 66)
    summary = _run(predictor, video, tmp_path / "out")
    assert summary.complete
    found = sorted((tmp_path / "out" / "drive_frames").glob("*_labels.png"))
    assert [path.name[:6] for path in found] == [f"{n:06d}" for n in range(120)]
    _check_shown(tmp_path / "out" / "drive_overlay.mp4", times, 0.01)
    assert len(read_clip(tmp_path / "out" / "drive_overlay.mp4")[0]) == 120


def test_a_frame_that_is_held_is_shown_as_long_and_nothing_is_cut_short(
    predictor: Predictor, tmp_path: Path
) -> None:
    times = [0, 40, 80, 3000, 3040]
    video = Video(write_clip(tmp_path / "drive.mkv", [_count(n) for n in range(5)], times=times))
    assert _run(predictor, video, tmp_path / "out").complete
    _check_shown(tmp_path / "out" / "drive_overlay.mp4", times, 0.021)
    assert len(read_clip(tmp_path / "out" / "drive_overlay.mp4")[0]) == 77


def test_times_that_stand_still_or_go_back_never_push_a_frame(
    predictor: Predictor, tmp_path: Path
) -> None:
    """Two recordings one behind the other, and a frame whose time comes twice."""
    first = write_clip(tmp_path / "a.ts", [_count(n) for n in range(20)], 25)
    second = write_clip(tmp_path / "b.ts", [_count(n) for n in range(20, 40)], 25)
    both = tmp_path / "drive.ts"
    both.write_bytes(first.read_bytes() * 2 + second.read_bytes())
    video = Video(both)
    _run(predictor, video, tmp_path / "out")
    numbers = [_read_count(pixels) for _, pixels in read_shown(tmp_path / "out/drive_overlay.mp4")]
    assert len(numbers) == pytest.approx(60, abs=6)
    assert numbers[:20] == list(range(20))
    assert numbers[-10:] == list(range(30, 40))
    times = [0, 40, 80, 80, 120, 160, 200, 240]
    double = write_clip(tmp_path / "double.mkv", [_count(n) for n in range(8)], times=times)
    assert len(_run(predictor, Video(double), tmp_path / "double").records) == 8
    assert len(read_clip(tmp_path / "double/double_overlay.mp4")[0]) == 7


@pytest.mark.parametrize(("name", "late"), [("a.mp4", 5000), ("a.mkv", 5000), ("a.ts", 90_000)])
def test_clips_that_begin_late_are_whole(tmp_path: Path, name: str, late: int) -> None:
    times = [late + 40 * n for n in range(20)]
    video = Video(write_clip(tmp_path / name, [_count(n) for n in range(20)], times=times))
    assert [frame.index for frame in video.frames(WHOLE)] == list(range(20))
    assert video.damage is None
    found = [_read_count(frame.pixels) for frame in video.frames(Clip(1, 0.4, 0.6))]
    assert found == [10, 11, 12, 13, 14]


@pytest.mark.parametrize(("skipped", "kept"), [(0, 20), (12, 20), (30, 20)])
def test_what_an_editor_has_cut_away_is_not_there(tmp_path: Path, skipped: int, kept: int) -> None:
    """By a list of edits alone, between key frames; numbers and times begin at the first shown."""
    path = write_clip(tmp_path / "a.mp4", [_count(n) for n in range(50)], 25, keyframes=20)
    content = bytearray(path.read_bytes())
    edit = content.index(b"elst") + 12  # how long in ms, from which of 12,800 ticks a second
    begin = struct.unpack_from(">i", content, edit + 4)[0]
    struct.pack_into(">Ii", content, edit, kept * 40, begin + skipped * 512)
    path.write_bytes(content)
    video = Video(path)
    expected = [(n, n + skipped) for n in range(kept)]
    frames = list(video.frames(WHOLE))
    assert [(frame.index, _read_count(frame.pixels)) for frame in frames] == expected
    assert video.damage is None
    part = list(video.frames(Clip(1, 0.2, 0.4)))
    assert [(frame.index, _read_count(frame.pixels)) for frame in part] == expected[5:10]


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.mov"])
@pytest.mark.parametrize("attached", [False, True])
def test_a_cover_is_not_the_video(tmp_path: Path, image: Pixels, name: str, attached: bool) -> None:
    cover = np.full((128, 256, 3), 200, np.uint8)
    video = Video(write_with_cover(tmp_path / name, slide(image, 30), cover, attached))
    frames = list(video.frames(WHOLE))
    assert len(frames) == 30
    assert {frame.pixels.shape for frame in frames} == {image.shape}
    assert video.damage is None


def test_of_two_tracks_the_larger_is_the_video(tmp_path: Path, image: Pixels) -> None:
    path = write_with_cover(tmp_path / "a.mkv", slide(image, 10), image[:32, :32], False)
    assert next(Video(path).frames(WHOLE)).pixels.shape == image.shape


@pytest.mark.parametrize(
    ("name", "degrees"),
    [("drive.mp4", 0), ("drive.mkv", 0), ("drive.ts", 0), ("drive.mp4", 90), ("drive.mkv", 90)],
)
def test_pixels_keep_their_shape(
    predictor: Predictor, image: Pixels, tmp_path: Path, name: str, degrees: int
) -> None:
    """Label frames are as stored; the overlay video says that its pixels are no squares."""
    import av

    def prepare(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(64, 45)
        if degrees:
            stream.set_display_rotation(degrees)

    path = write_clip(tmp_path / name, slide(image, 12), prepare=prepare)
    _run(predictor, Video(path), tmp_path / "out")
    with av.open(str(tmp_path / "out" / "drive_overlay.mp4")) as container:
        stream = container.streams.video[0]
        shape, size = stream.sample_aspect_ratio, (stream.height, stream.width)
    assert shape == (Fraction(45, 64) if degrees else Fraction(64, 45))
    assert size == (image.shape[:2][::-1] if degrees else image.shape[:2])


def test_an_overlay_video_begins_at_nought(predictor: Predictor, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "drive.mp4", [_count(n) for n in range(30)])
    _run(predictor, Video(path), tmp_path / "out")
    shown = read_shown(tmp_path / "out" / "drive_overlay.mp4")
    assert [round(time * 25) for time, _ in shown] == list(range(30))


def test_an_overlay_that_no_encoder_takes_is_said_and_the_labels_are_there(
    predictor: Predictor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from hierseg.commands.video import segment_video
    from hierseg.errors import UserError

    wide = np.zeros((32, 17_000, 3), np.uint8)
    path = write_clip(tmp_path / "drive.mkv", [wide] * 3, codec="ffv1")
    settings = RunSettings(save=("overlay", "labels"))
    out = tmp_path / "out"
    assert segment_video(predictor, Video(path), out, settings, WHOLE, False) == 3
    said = capsys.readouterr()
    assert "drive_overlay.mp4: frames of 32x17000 cannot be encoded" in said.err
    assert "3 frames segmented" in said.out
    assert len(list((out / "drive_frames").glob("*_labels.png"))) == 3
    assert not list(out.glob("*.mp4"))
    content = json.loads((out / "summary.json").read_text())
    assert "cannot be encoded" in content["about"]["overlay_missing"]
    with pytest.raises(
        UserError, match=r"32x17000 cannot be encoded .*leave overlay out of --save"
    ):
        run_video(predictor, Video(path), tmp_path / "alone", RunSettings(save=("overlay",)))


def test_what_the_encoder_refuses_shows_at_the_first_frame(tmp_path: Path) -> None:
    from hierseg.media.video_writing import OverlayVideo

    with OverlayVideo(tmp_path / "a.mp4", Fraction(5)) as overlay:
        overlay.add(np.zeros((32, 17_000, 3), np.uint8), 0)
        while overlay._waiting:
            overlay._waiting.popleft().result()
        assert overlay.failure is not None
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fails_is_no_fault_of_the_encoder(
    image: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hierseg.media.video_writing import OverlayVideo

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(OverlayVideo, "_begin", fail)
    overlay = OverlayVideo(tmp_path / "a.mp4", Fraction(5))
    overlay.add(image, 0)
    with pytest.raises(OSError, match="No space"):
        overlay.__exit__(None, None, None)
    assert overlay.failure is None


@pytest.mark.parametrize(
    ("codec", "pixels_as", "name"),
    [
        ("ffv1", "yuva420p", "a.mkv"),
        ("ffv1", "yuv444p16le", "a.mkv"),
        ("ffv1", "gray16le", "a.mkv"),
        ("libx264", "yuv422p10le", "a.mp4"),
        ("png", "rgba", "a.mov"),
        ("png", "rgb48be", "a.mov"),
        ("qtrle", "argb", "a.mov"),
        ("mjpeg", "yuvj420p", "a.avi"),
        ("wmv2", "yuv420p", "a.wmv"),
        ("flv", "yuv420p", "a.flv"),
        ("mpeg2video", "yuv420p", "a.m2ts"),
        ("mpeg1video", "yuv420p", "a.mpg"),
        ("mpeg2video", "yuv420p", "a.mxf"),
        ("libvpx-vp9", "yuv420p", "a.webm"),
        ("rawvideo", "bgr24", "a.avi"),
        ("rawvideo", "yuv420p", "a.nut"),
    ],
)
def test_every_way_to_store_pixels_is_read(
    tmp_path: Path, codec: str, pixels_as: str, name: str
) -> None:
    frames = [np.full((48, 96, 3), 20 * n, np.uint8) for n in range(10)]
    video = Video(write_clip(tmp_path / name, frames, codec=codec, pixels_as=pixels_as))
    found = list(video.frames(WHOLE))
    assert video.damage is None
    assert [frame.index for frame in found] == list(range(10))
    for frame in found:
        assert frame.pixels.mean() == pytest.approx(20 * frame.index, abs=6)


def test_sides_that_are_odd_and_lie_on_their_side(tmp_path: Path, image: Pixels) -> None:
    odd = np.ascontiguousarray(image[:39, :57])
    path = write_clip(
        tmp_path / "a.mov", [odd] * 2, codec="png", pixels_as="rgb24",
        prepare=lambda stream: stream.set_display_rotation(90),
    )  # fmt: skip
    assert np.array_equal(next(Video(path).frames(WHOLE)).pixels, np.rot90(odd))


def test_a_size_that_changes_on_the_way_keeps_the_first(tmp_path: Path, image: Pixels) -> None:
    small = write_clip(tmp_path / "a.ts", slide(np.ascontiguousarray(image[:32, :48]), 20))
    large = write_clip(tmp_path / "b.ts", slide(np.tile(image, (2, 2, 1)), 20))
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    frames = list(Video(both).frames(WHOLE))
    assert {frame.pixels.shape for frame in frames} == {(32, 48, 3)}
    assert len(frames) > 30
    limited = Video(both, 32 * 48)
    assert len(list(limited.frames(WHOLE))) in range(15, 21)
    assert limited.damage is not None
    assert "more than --max-pixels" in limited.damage
