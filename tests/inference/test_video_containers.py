"""What containers do not say, or say wrongly: where a frame is, and how long they are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av", reason="the extra video is not installed")

from hierseg.commands.video import open_video, segment_video
from hierseg.errors import UserError
from hierseg.inference.predictor import Predictor
from hierseg.jobs.clips import run_video
from hierseg.jobs.run_settings import RunSettings
from hierseg.labels import LabelSpace
from hierseg.media.video import Clip, Video, is_video
from support.clips import Pixels, slide, write_clip


@pytest.fixture
def predictor(network: Any, space: LabelSpace) -> Predictor:
    return Predictor(network, label_space=space)


@pytest.mark.parametrize(
    ("name", "container"),
    [("a.mp4", None), ("a.mkv", None), ("a.ts", None), ("raw.mp4", "h264")],
)
def test_every_container_gives_the_frames_from_a_time_on(
    tmp_path: Path, name: str, container: str | None
) -> None:
    frames = [np.full((64, 64, 3), 4 * index, np.uint8) for index in range(60)]
    video = Video(write_clip(tmp_path / name, frames, 25, container=container, keyframes=20))
    for first, end in ((1, 60), (21, 40), (25, 40), (45, 46)):
        found = list(video.frames(Clip(1, first / 25, end / 25)))
        assert video.damage is None
        assert [frame.index for frame in found] == list(range(first, end))
        for frame in found:
            assert frame.pixels.mean() == pytest.approx(4 * frame.index, abs=1.5)


@pytest.mark.parametrize("start", [3.0, 1e9, 1e19, 1e308])
def test_there_is_nothing_from_a_time_behind_the_end_on(
    image: Pixels, tmp_path: Path, start: float
) -> None:
    video = Video(write_clip(tmp_path / "a.mp4", slide(image, 5)))
    assert list(video.frames(Clip(1, start))) == []
    assert video.damage is None
    assert video.count(Clip(1, start)) == 0


@pytest.mark.parametrize("name", ["a.mkv", "a.webm"])
def test_a_container_without_the_stream_s_duration_is_seen_to_be_cut(
    tmp_path: Path, name: str
) -> None:
    random = np.random.default_rng(0)
    noise = [random.integers(0, 255, (64, 64, 3)).astype(np.uint8) for _ in range(40)]
    codec = "libvpx" if name == "a.webm" else "libx264"
    path = write_clip(tmp_path / name, noise, 10, codec=codec)
    whole = Video(path)
    assert whole.count(Clip()) == 40
    assert len(list(whole.frames(Clip()))) == 40
    assert whole.damage is None
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    cut = Video(path)
    assert 5 < len(list(cut.frames(Clip()))) < 35
    assert cut.damage is not None
    assert "a.mkv is" in cut.damage or "a.webm is" in cut.damage


def test_names_that_ffmpeg_would_take_for_protocols(
    image: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_clip(tmp_path / "clip.mp4", slide(image, 3)).rename(tmp_path / "2026-11-24T10:30:00.mp4")
    monkeypatch.chdir(tmp_path)
    assert len(list(open_video(["2026-11-24T10:30:00.mp4"], 10**6).frames(Clip()))) == 3


def test_a_tilde_that_is_nobody_s_is_part_of_the_name(
    image: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_clip(tmp_path / "clip.mp4", slide(image, 3)).rename(tmp_path / "~$clip.mp4")
    monkeypatch.chdir(tmp_path)
    assert is_video("~$clip.mp4")
    assert open_video(["~$clip.mp4"], 10**6).rate == 25


def test_frames_that_are_skipped_are_said_with_why(
    network: Any, predictor: Predictor, image: Pixels, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = write_clip(tmp_path / "drive.mp4", slide(image, 4), 10)
    forward, failures = network.forward, [UserError("too odd")] * 6

    def fail(*arguments: Any, **named: Any) -> Any:
        if failures:
            raise failures.pop()
        return forward(*arguments, **named)

    monkeypatch.setattr(network, "forward", fail)
    settings = RunSettings(save=("labels",))
    with pytest.raises(UserError, match=r"no frame of .*drive\.mp4 could be segmented: too odd"):
        run_video(predictor, Video(path), tmp_path / "none", settings)
    assert len(failures) == 2
    out = tmp_path / "some"
    assert segment_video(predictor, Video(path), out, settings, Clip(), False) == 3
    said = capsys.readouterr()
    assert "2 frames were skipped, 'drive.mp4 frame 000000' first: too odd" in said.err
    assert "2 frames segmented" in said.out


def test_sound_beside_the_picture_does_not_say_how_long_that_is() -> None:
    from hierseg.media.video import _duration

    stream = SimpleNamespace(duration=None, time_base=None)
    for streams, seconds in ((1, 6.0), (2, None)):
        container = SimpleNamespace(duration=6_000_000, streams=[stream] * streams)
        assert _duration(container, stream, 0.0) == seconds
