from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from hierseg.cli import main
from hierseg.serving.live import LivePage

BLUE = np.full((40, 60, 3), (230, 50, 40), np.uint8)  # BGR


class Capture:
    """A camera of a few pictures, a new one each hundredth of a second."""

    opened, pictures = True, 6

    def __init__(self, number: int) -> None:
        self.given, self.released = 0, False
        Capture.last = self

    def isOpened(self) -> bool:
        return self.opened

    def read(self) -> tuple[bool, Any]:
        time.sleep(0.01)
        self.given += 1
        return (True, BLUE) if self.given <= self.pictures else (False, None)

    def release(self) -> None:
        self.released = True


@pytest.fixture
def words(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    return ["--weights", str(checkpoint), "--scales", "1", "--engine", "torch"]


def test_a_camera_is_shown_and_nothing_kept(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["predict", "0", "--show", *words]) == 0
    said = capsys.readouterr().out
    assert said.startswith("camera 0: http://127.0.0.1:")
    assert "Ctrl-C ends it." in said
    assert said.endswith("shown; nothing was kept.\n")
    assert list(tmp_path.iterdir()) == []
    assert Capture.last.released


def test_with_out_it_is_kept(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("av", reason="the extra video is not installed")
    given = ["predict", "0", "--show", *words, "-o", str(tmp_path / "kept"), "--fps", "50"]
    assert main(given) == 0
    assert f"kept in {tmp_path / 'kept'}" in capsys.readouterr().out
    labels = sorted((tmp_path / "kept" / "camera0_frames").glob("*_labels.png"))
    assert labels
    assert all(np.asarray(Image.open(path)).shape == (40, 60) for path in labels)
    assert (tmp_path / "kept" / "camera0_overlay.mp4").stat().st_size > 100
    assert (tmp_path / "kept" / "legend.json").is_file()
    assert main(given) == 2  # an earlier recording is not replaced
    assert "add --overwrite" in capsys.readouterr().err


def test_ctrl_c_ends_it_well(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Capture, "pictures", 10**9)

    shown, show = threading.Event(), LivePage.show

    def show_and_tell(page: LivePage, *given: Any) -> None:
        show(page, *given)
        shown.set()

    def interrupt() -> None:
        shown.wait()
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(LivePage, "show", show_and_tell)
    # A shell that has started the tests in the background has it ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Thread(target=interrupt, daemon=True).start()
        assert main(["predict", "0", "--show", *words]) == 0
    finally:
        signal.signal(signal.SIGINT, before)
    said = capsys.readouterr()
    assert said.out.endswith("shown; nothing was kept.\n")
    assert "Traceback" not in said.err
    assert Capture.last.released


def test_a_clip_is_shown_in_its_own_time(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("av", reason="the extra video is not installed")
    from support.clips import write_clip

    clip = write_clip(tmp_path / "drive.mp4", [np.zeros((48, 64, 3), np.uint8)] * 12, rate=20)
    start = time.monotonic()
    assert main(["predict", str(clip), "--show", *words, "--from", "0.1"]) == 0
    assert time.monotonic() - start > 0.4
    said = capsys.readouterr().out
    assert said.startswith("drive.mp4: http")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["0"], "`hierseg predict 0 --show`"),
        (["0", "--out", "x"], "`hierseg predict 0 --show`"),
        (["a.png"], "--out is missing"),
        (["a.png", "--out", "x", "--fps", "3"], "--fps is for --show"),
        (["a.png", "--out", "x", "--port", "3"], "--port is for --show"),
        (["nowhere.mp4", "--show"], "nowhere.mp4 does not exist"),
        (["nowhere", "--show"], "nowhere does not exist"),
        (["0", "1", "--show"], "one camera"),
        (["0", "--show", "--every", "2"], "are for a video"),
        (["0", "--show", "--frames"], "--show takes no --frames"),
        (["0", "--show", "--save", "coco"], "--save coco is for images"),
        (["0", "--show", "--fps", "nan"], "--fps nan shows nothing"),
        (["0", "--show", "--fps", "0"], "--fps 0 shows nothing"),
        (["0", "--show", "--port", "99999"], "give another --port"),
    ],
)
def test_what_cannot_be_shown_is_said(
    given: list[str], sentence: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", *given, *words]) in (1, 2)
    said = capsys.readouterr().err
    assert sentence in said
    assert said.splitlines()[-1].startswith("hierseg: ")


def test_a_machine_without_a_camera_is_told_so(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", type("Shut", (Capture,), {"opened": False}))
    assert main(["predict", "3", "--show", *words]) == 1
    said = capsys.readouterr()
    assert "camera 3 cannot be opened; check that it is connected" in said.err
    assert "http" not in said.out
