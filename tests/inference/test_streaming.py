"""Streams: folders, sequences, videos, cameras, and whatever can be iterated over."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from hierseg.errors import UsageError, UserError
from hierseg.inference.predictor import Predictor
from hierseg.labels import LabelSpace
from hierseg.media.camera import Camera

Pixels = npt.NDArray[np.uint8]


@pytest.fixture
def predictor(network: Any, space: LabelSpace) -> Predictor:
    return Predictor(network, (1.0,), label_space=space)


def _write(folder: Path, image: Pixels, names: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        Image.fromarray(image).save(folder / name)


def test_a_folder_comes_in_the_order_of_its_numbers_one_by_one(
    predictor: Predictor, network: Any, image: Pixels, tmp_path: Path
) -> None:
    _write(tmp_path / "f", image, ["a_10.png", "a_9.png", "a_2.png"])
    stream = predictor.stream(tmp_path / "f")
    assert network.calls == []
    first = next(stream)
    assert len(network.calls) == 1
    names = [Path(one.source).name for one in (first, *stream)]
    assert names == ["a_2.png", "a_9.png", "a_10.png"]
    assert [Path(one.source).name for one in predictor.stream(str(tmp_path / "f" / "a_%02d.png"))]
    assert len(list(predictor.stream(tmp_path / "f", every=2))) == 2
    assert len(list(predictor.stream(str(tmp_path / "f" / "*_1*.png")))) == 1


def test_what_cannot_be_read_is_passed_over_with_a_warning(
    predictor: Predictor, image: Pixels, tmp_path: Path
) -> None:
    _write(tmp_path, image, ["a.png", "c.png"])
    (tmp_path / "b.png").write_bytes(b"\x89PNG nothing")
    with pytest.warns(UserWarning, match=r"skipped: .*b\.png"):
        found = list(predictor.stream(tmp_path))
    assert [Path(one.source).name for one in found] == ["a.png", "c.png"]
    with pytest.raises(UserError, match=r"b\.png"):
        list(predictor.stream(tmp_path / "b.png"))


def test_an_iterable_is_a_stream(predictor: Predictor, image: Pixels, tmp_path: Path) -> None:
    _write(tmp_path, image, ["a.png"])
    given = iter([image, tmp_path / "a.png", Image.fromarray(image)])
    found = list(predictor.stream(given, region=(0, 0, 40, 40)))
    assert [Path(one.source).name for one in found] == ["", "a.png", ""]
    assert found[0].region == (0, 0, 40, 40)


@pytest.mark.parametrize("source", ["nowhere", None, True, b"x", 3.5, "https://example.org/x.mp4"])
def test_what_is_no_stream_is_refused(predictor: Predictor, source: Any) -> None:
    with pytest.raises(UserError):
        list(predictor.stream(source))


def test_times_are_of_videos(predictor: Predictor, image: Pixels, tmp_path: Path) -> None:
    _write(tmp_path, image, ["a.png"])
    with pytest.raises(UsageError, match="start and end are for a video or camera"):
        list(predictor.stream(tmp_path, end=2.0))
    with pytest.raises(UsageError, match="every"):
        list(predictor.stream(tmp_path, every=0))


def test_a_video_has_frames_and_times(predictor: Predictor, image: Pixels, tmp_path: Path) -> None:
    pytest.importorskip("av")
    from support.clips import write_clip

    path = write_clip(tmp_path / "drive.mp4", [image] * 8, rate=4)
    found = list(predictor.stream(path, every=2, start=0.5, end=1.75))
    assert [one.frame for one in found] == [2, 4, 6]
    assert [one.time for one in found] == pytest.approx([0.5, 1.0, 1.5])
    assert {one.source for one in found} == {str(path)}
    assert "drive.mp4 frame 2" in repr(found[0])


class _Capture:
    """A camera of five pictures, a new one each hundredth of a second."""

    opened = True

    def __init__(self, number: int) -> None:
        self.number, self.given, self.released = number, 0, False
        _Capture.last = self

    def isOpened(self) -> bool:
        return self.opened

    def read(self) -> tuple[bool, Any]:
        time.sleep(0.01)
        self.given += 1
        if self.given > 5:
            return False, None
        return True, np.full((40, 60, 3), (230, 50, 40), np.uint8)  # BGR

    def release(self) -> None:
        self.released = True


def test_a_camera_gives_its_newest_picture(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", _Capture)
    for source in (0, "0"):
        frames = []
        for one in predictor.stream(source):
            frames.append(one.frame)
            assert one.names[int(one.labels[0, 0])].startswith("blue")
            assert one.source == "camera 0"
            if len(frames) == 1:
                time.sleep(0.2)  # so slow a reader misses some
        assert frames == [frames[0], 4] if frames[0] != 4 else [4]
        assert _Capture.last.released


def test_a_camera_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", type("Shut", (_Capture,), {"opened": False}))
    with pytest.raises(UserError, match="camera 3 cannot be opened"):
        Camera(3)
    blind = type("Blind", (_Capture,), {"read": lambda self: (False, None)})
    monkeypatch.setattr(cv2, "VideoCapture", blind)
    with Camera(0) as camera, pytest.raises(UserError, match="camera 0 gives no picture"):
        list(camera.frames())
