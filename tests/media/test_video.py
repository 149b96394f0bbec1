from __future__ import annotations

import io
import json
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("av", reason="the extra video is not installed")

from PIL import Image
from rich.console import Console

from hierseg.errors import MissingExtraError, UsageError, UserError
from hierseg.inference.footprint import Footprint
from hierseg.inference.predictor import Predictor
from hierseg.jobs.clips import run_video
from hierseg.jobs.run_settings import RunSettings
from hierseg.jobs.summary import Summary
from hierseg.labels import LabelSpace
from hierseg.media.video import WHOLE, Clip, Video, is_video, turn
from hierseg.media.video_writing import OverlayVideo
from support.clips import read_clip, slide, write_clip, write_sound

Pixels = npt.NDArray[np.uint8]


@pytest.fixture
def predictor(network: Any, space: LabelSpace) -> Predictor:
    return Predictor(network, label_space=space)


@pytest.fixture
def clip(tmp_path: Path, image: Pixels) -> Path:
    """Twelve frames at 10 a second of an image that goes round by four pixels a frame."""
    return write_clip(tmp_path / "drive.mp4", slide(image, 12, 4), 10)


def _run(predictor: Predictor, path: Path, out: Path, clip: Clip = WHOLE, **more: Any) -> Summary:
    frames = more.pop("frames", False)
    settings = RunSettings(**{"save": ("overlay", "labels"), **more})
    return run_video(predictor, Video(path), out, settings, clip, frames)


def _labels(out: Path) -> dict[int, Pixels]:
    found = {}
    for path in sorted((out / "drive_frames").glob("*_labels.png")):
        with Image.open(path) as stored:
            found[int(path.name[:6])] = np.asarray(stored)
    return found


def test_a_video_becomes_an_overlay_video_and_label_frames(
    predictor: Predictor, clip: Path, labels: Pixels, image: Pixels, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    summary = _run(predictor, clip, out)
    assert summary.complete
    found = _labels(out)
    assert list(found) == list(range(12))
    for index, stored in found.items():
        wrong = [(stored != np.roll(labels, -4 * n, axis=1)).mean() for n in range(12)]
        assert np.argmin(wrong) == index
        assert wrong[index] < 0.05  # the video's compression blurs borders
    frames, rate = read_clip(out / "drive_overlay.mp4")
    assert rate == 10
    assert len(frames) == 12
    assert frames[0].shape == image.shape
    colors = np.asarray(predictor.label_space.colors)
    expected = 0.45 * colors[0] + 0.55 * colors[0]  # red over red, far from borders
    assert np.abs(frames[0][10, 10] - expected).max() < 30
    assert not list(out.glob("*.part.mp4"))
    content = json.loads((out / "summary.json").read_text())
    assert content["images_done"] == 12
    assert content["settings"]["every"] == 1
    assert not (out / "page").exists()


def test_sixty_frames_are_shown_as_sixty_each_under_its_own_labels(
    predictor: Predictor, image: Pixels, tmp_path: Path
) -> None:
    source = write_clip(tmp_path / "drive.mp4", slide(image, 60), Fraction(30000, 1001))
    assert _run(predictor, source, tmp_path / "out").complete
    frames, rate = read_clip(tmp_path / "out" / "drive_overlay.mp4")
    assert (len(frames), rate) == (60, Fraction(30000, 1001))
    found = _labels(tmp_path / "out")
    assert list(found) == list(range(60))
    colors = np.asarray(predictor.label_space.colors, np.float64)
    pictures, _ = read_clip(source)
    for index, (shown, picture) in enumerate(zip(frames, pictures, strict=True)):
        # ALPHA of rendering, and what two compressions leave of it; lines between classes aside.
        expected = 0.45 * picture + 0.55 * colors[found[index]]
        assert np.median(np.abs(shown - expected)) < 8, index


def test_every_nth_frame_is_shown_until_the_next(
    predictor: Predictor, clip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    _run(predictor, clip, out, Clip(every=5))
    assert list(_labels(out)) == [0, 5, 10]
    frames, rate = read_clip(out / "drive_overlay.mp4")
    assert (len(frames), rate) == (12, 10)  # as long and as fast as the video
    steps = [np.abs(a.astype(int) - b).mean() for a, b in pairwise(frames)]
    assert [n + 1 for n, step in enumerate(steps) if step > 2] == [5, 10]


def test_from_and_to_are_seconds(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _run(predictor, clip, out, Clip(2, 0.3, 0.8))
    assert list(_labels(out)) == [3, 5, 7]
    assert len(read_clip(out / "drive_overlay.mp4")[0]) == 5
    assert Video(clip).count(Clip(2, 0.3, 0.8)) == 3
    assert Video(clip).count(Clip()) == 12
    with pytest.raises(UserError, match="no frame between --from and --to"):
        _run(predictor, clip, tmp_path / "late", Clip(1, 50))


def test_batches_give_the_same_frames(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    _run(predictor, clip, tmp_path / "one")
    _run(predictor, clip, tmp_path / "five", batch=5)
    network: Any = predictor.network
    assert [call[0][0] for call in network.calls[-3:]] == [5, 5, 2]
    one, five = _labels(tmp_path / "one"), _labels(tmp_path / "five")
    assert all(np.array_equal(one[index], five[index]) for index in range(12))


def test_frames_are_written_too_if_asked(
    predictor: Predictor, clip: Path, image: Pixels, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    summary = _run(predictor, clip, out, Clip(every=6), frames=True)
    with Image.open(out / "drive_frames" / "000006_image.png") as stored:
        assert np.abs(np.asarray(stored).astype(int) - np.roll(image, -24, 1)).mean() < 8
    assert (out / "drive_frames" / "000006_overlay.jpg").is_file()
    record = list(summary.records.values())[1]
    assert record.facts == ["0.60 s"]
    assert all((out / panel.file).is_file() for panel in record.panels)
    assert [panel.kind for panel in record.panels] == ["image", "overlay", "pixels"]


def test_an_interrupted_video_plays_and_goes_on(
    predictor: Predictor, image: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "drive.mp4", slide(image, 12, 4), 10)
    out = tmp_path / "out"
    # What is encoded is compared, bit for bit: of the same frames x264 makes other bytes now and
    # then, as it reads memory that it has not set.
    given: list[tuple[int, Pixels]] = []
    add = OverlayVideo.add

    def keep(video: OverlayVideo, pixels: Pixels, number: int) -> None:
        given.append((number, pixels.copy()))
        add(video, pixels, number)

    monkeypatch.setattr(OverlayVideo, "add", keep)
    network: Any = predictor.network
    forward = network.forward

    def interrupt(*arguments: Any, **named: Any) -> Any:
        if len(network.calls) == 7:
            raise KeyboardInterrupt
        return forward(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(network, "forward", interrupt)
        with pytest.raises(KeyboardInterrupt, match="7 frames are done"):
            _run(predictor, clip, out)
    assert len(read_clip(out / "drive_overlay.mp4")[0]) == 7
    assert json.loads((out / "summary.json").read_text())["complete"] is False
    given.clear()
    assert _run(predictor, clip, out).complete
    assert len(network.calls) == 12  # the seven were not run again
    resumed = given.copy()
    assert [number for number, _ in resumed] == list(range(12))
    frames = read_clip(out / "drive_overlay.mp4")[0]
    assert len(frames) == 12
    given.clear()
    whole = _run(predictor, clip, tmp_path / "whole")
    assert len(whole.records) == 12
    for (number, picture), (other, again) in zip(resumed, given, strict=True):
        assert number == other
        assert np.array_equal(picture, again)
    again_frames = read_clip(tmp_path / "whole" / "drive_overlay.mp4")[0]
    for shown, other_shown, (_, picture) in zip(frames, again_frames, given, strict=True):
        assert np.median(np.abs(shown.astype(int) - picture)) < 8
        assert np.median(np.abs(other_shown.astype(int) - picture)) < 8
    with pytest.raises(UsageError, match="every"):
        _run(predictor, clip, out, Clip(every=2))


def test_what_a_killed_run_leaves_plays(image: Pixels, tmp_path: Path) -> None:
    video = OverlayVideo(tmp_path / "a_overlay.mp4", Fraction(10))
    for index, pixels in enumerate(slide(image, 50, 1)):
        video.add(pixels, index)
    while video._waiting:
        video._waiting.popleft().result()
    left = len(read_clip(tmp_path / "a_overlay.part.mp4")[0])  # nothing has been closed
    assert left >= 20
    with video:
        pass
    assert len(read_clip(tmp_path / "a_overlay.mp4")[0]) == 50


def test_odd_sides_get_a_line_more(image: Pixels, tmp_path: Path) -> None:
    with OverlayVideo(tmp_path / "odd.mp4", Fraction(25)) as video:
        video.add(np.ascontiguousarray(image[:39, :57]), 4)
        video.add(np.ascontiguousarray(image[:39, :57]), 6)
    frames, rate = read_clip(tmp_path / "odd.mp4")
    assert [frame.shape for frame in frames] == [(40, 58, 3)] * 3
    assert rate == 25


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"", "is empty"),
        (lambda data: bytes(range(256)) * 20, "no picture|no video, or is damaged"),
        (lambda data: data[:200], "no picture|no video, or is damaged"),
    ],
)
def test_files_that_are_no_video_are_said_so(
    clip: Path, tmp_path: Path, damage: Any, message: str
) -> None:
    path = tmp_path / "bad.mp4"
    path.write_bytes(damage(clip.read_bytes()))
    with pytest.raises(UserError, match=message) as raised:
        Video(path)
    assert str(path) in str(raised.value)


def test_sound_alone_and_frames_of_no_use_are_refused(tmp_path: Path, image: Pixels) -> None:
    with pytest.raises(UserError, match="sound but no picture"):
        Video(write_sound(tmp_path / "sound.mp4"))
    path = write_clip(tmp_path / "small.mp4", [np.ascontiguousarray(image[:16])])
    with pytest.raises(UserError, match="smaller than 32x32"):
        Video(path)
    path = write_clip(tmp_path / "large.mp4", [image])
    with pytest.raises(UserError, match="more than --max-pixels"):
        Video(path, 1000)


def test_a_video_that_is_cut_short_is_done_as_far_as_it_goes(
    predictor: Predictor, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    noise = [random.integers(0, 255, (64, 64, 3)).astype(np.uint8) for _ in range(40)]
    path = write_clip(tmp_path / "drive.mp4", noise, 10)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    video = Video(path)
    summary = run_video(predictor, video, tmp_path / "out", RunSettings(save=("overlay",)))
    assert video.damage is not None
    assert "drive.mp4 is" in video.damage
    assert 5 < len(summary.records) < 35
    assert not summary.complete
    assert len(read_clip(tmp_path / "out" / "drive_overlay.mp4")[0]) == len(summary.records)


def test_clips_that_cannot_be_are_refused() -> None:
    for wrong, flag in (
        ({"every": 0}, "--every"),
        ({"start": -1.0}, r"a start \(--from\) of -1"),  # in Python the setting is `start`
        ({"start": 2.0, "end": 2.0}, r"an end \(--to\) of 2 is not after the start"),
        ({"end": float("inf")}, "--to"),
    ):
        with pytest.raises(UsageError, match=flag):
            Clip(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_frames_stand_as_the_display_matrix_says(
    predictor: Predictor, image: Pixels, tmp_path: Path, degrees: int, mirrored: bool
) -> None:
    """Phones film lying on their side, and front cameras mirrored: all eight ways."""
    path = write_clip(
        tmp_path / "drive.mp4",
        [image] * 2,
        prepare=lambda stream: stream.set_display_rotation(degrees, hflip=mirrored),
    )
    expected = np.rot90(image, degrees // 90)
    expected = expected[:, ::-1] if mirrored else expected
    _run(predictor, path, tmp_path / "out")
    shown = read_clip(tmp_path / "out" / "drive_overlay.mp4")[0][0]
    for found in (next(Video(path).frames(WHOLE)).pixels, shown):
        assert found.shape == expected.shape
        assert np.median(np.abs(found.astype(int) - expected)) < 12
        assert (np.abs(found.astype(int) - expected).max(2) > 60).mean() < 0.1


def test_display_matrices_that_turn_by_little_or_nothing_leave_frames_as_they_are() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    for matrix in (
        [0] * 9,
        [60000, 20000, 0, -20000, 60000, 0, 0, 0, 1],
        [1, 0, 0, 0, 1, 0, 9, 9, 1],
    ):
        assert np.array_equal(turn(pixels, np.array(matrix, np.int32)), pixels)
    most = -(2**31)
    turned = turn(pixels, np.array([0, most, 0, most, 0, 0, 0, 0, most], np.int32))
    assert np.array_equal(turned, pixels.swapaxes(0, 1)[::-1, ::-1])


def test_videos_are_known_by_their_suffix(tmp_path: Path) -> None:
    assert is_video("a/DRIVE.MP4")
    assert not is_video("a.png")
    (tmp_path / "folder.mp4").mkdir()
    assert not is_video(str(tmp_path / "folder.mp4"))


def test_without_the_extra_it_is_named(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"hierseg\[video\]"):
        Video(clip)


def test_decoders_that_are_stopped_early_do_not_wait_for_the_interpreter(clip: Path) -> None:
    import av

    av.logging.set_level(av.logging.ERROR)  # what another library may have asked for
    frames = Video(clip).frames(Clip(end=0.5))
    assert len(list(frames)) == 5
    assert av.logging.get_level() is None


def test_frames_beyond_the_memory_are_run_by_windows_all_alike(
    predictor: Predictor,
    network: Any,
    image: Pixels,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    large = np.tile(image, (6, 6, 1))
    path = write_clip(tmp_path / "drive.mp4", slide(large, 4, 4), 10)
    monkeypatch.setattr("hierseg.inference.footprint.ROUGH", 1e6)
    monkeypatch.setattr(Footprint, "per_pixel", lambda *_: 1e4)
    left = iter([6e8] * 3 + [1e12] * 99)  # what is free comes and goes
    monkeypatch.setattr("hierseg.engines.memory.read_free_memory", lambda _: next(left))
    said = io.StringIO()
    settings = RunSettings(save=("overlay", "labels"))
    console = Console(file=said, width=200)
    summary = run_video(predictor, Video(path), tmp_path / "out", settings, console=console)
    assert summary.complete
    assert {shape for shape, _, _ in network.calls} == {(1, 3, 128, 128), (1, 3, 128, 192)}
    assert [shape for shape, _, _ in network.calls].count((1, 3, 128, 192)) == 1  # to compare
    lines = " ".join(said.getvalue().split())
    assert lines.count("frames are run in windows 128x128 overlapping by 0.5 (on a part of") == 1
    facts = [record.facts for record in summary.records.values()]
    assert all(one[1].startswith("run in windows 128x128 overlapping by 0.5") for one in facts)
    assert all(one[1].endswith("are free") for one in facts)
    assert all(labels.shape == (240, 360) for labels in _labels(tmp_path / "out").values())
