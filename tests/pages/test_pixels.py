"""Class and confidence of a page's images, as they are read under the cursor."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import cv2
import numpy as np

from hierseg.inference.prediction import Prediction
from hierseg.labels import CAMVID
from hierseg.pages.pixels import STEPS, UNKNOWN, write_pixels


def read_pixels(path: Path) -> np.ndarray:
    """(H, W, 3) of what the script hands over: train id, steps of confidence, nothing."""
    text = path.read_text(encoding="utf-8")
    pictures = json.loads(text.partition(", ")[2].rpartition(")")[0])
    content = base64.b64decode(pictures[""].partition(",")[2])
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    return picture[..., ::-1]


def test_labels_and_confidence_are_there_and_where_none_is_known_it_says_so(tmp_path: Path) -> None:
    labels = np.arange(48 * 64, dtype=np.int64).reshape(48, 64) % CAMVID.num_classes
    confidence = np.full((48, 64), 0.5, np.float32)
    confidence[:10] = np.nan
    prediction = Prediction(
        np.zeros((48, 64, 3), np.uint8), labels.astype(np.uint8), confidence, CAMVID
    )
    found = read_pixels(write_pixels(prediction, tmp_path / "a.js", "a"))
    assert np.array_equal(found[..., 0], labels)
    assert (found[:10, :, 1] == UNKNOWN).all()
    assert (found[10:, :, 1] == STEPS // 2).all()
