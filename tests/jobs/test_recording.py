from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hierseg.errors import UsageError, UserError
from hierseg.files import FolderLock
from hierseg.inference.prediction import Prediction
from hierseg.jobs.recording import Recording
from hierseg.labels import CAMVID

pytest.importorskip("av", reason="the extra video is not installed")


def predict(frame: int) -> Prediction:
    labels = np.full((40, 60), frame % 3, np.uint8)
    image = np.zeros((40, 60, 3), np.uint8)
    ones = np.ones((40, 60), np.float32)
    return Prediction(image, labels, ones, CAMVID, frame=frame, time=frame / 5)


def test_frames_are_kept_by_their_numbers_and_the_video_by_their_times(tmp_path: Path) -> None:
    from support.clips import read_clip

    with Recording(tmp_path, "camera0", CAMVID, ("overlay", "labels", "confidence")) as recording:
        for frame in (0, 2, 5):
            recording.add(predict(frame))
        with pytest.raises(UserError), FolderLock(tmp_path):
            pass
    assert (recording.frames, recording.failure) == (3, None)
    names = sorted(path.name for path in (tmp_path / "camera0_frames").iterdir())
    assert names == [f"{n:06d}_{kind}.png" for n in (0, 2, 5) for kind in ("confidence", "labels")]
    found = np.asarray(Image.open(tmp_path / "camera0_frames" / "000005_labels.png"))
    assert (found == 2).all()
    # A second at 25 frames a second, and the last frame.
    assert len(read_clip(tmp_path / "camera0_overlay.mp4")[0]) == 26
    assert (tmp_path / "legend.json").is_file()


def test_an_earlier_recording_is_replaced_if_asked_alone(tmp_path: Path) -> None:
    with Recording(tmp_path, "a", CAMVID, ("labels",)) as recording:
        recording.add(predict(1))
    with pytest.raises(UsageError, match="--overwrite"):
        Recording(tmp_path, "a", CAMVID, ("labels",))
    with Recording(tmp_path, "a", CAMVID, ("labels",), overwrite=True) as recording:
        recording.add(predict(2))
    assert not (tmp_path / "a_overlay.mp4").exists()
    assert (np.asarray(Image.open(tmp_path / "a_frames" / "000002_labels.png")) == 2).all()
