"""Class and confidence of a page's images, as they are read under the cursor."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from hierseg.inference.prediction import Prediction
from hierseg.inference.predictor import Predictor
from hierseg.jobs.images import run_folder
from hierseg.jobs.run_page import write_run_page
from hierseg.jobs.run_settings import RunSettings
from hierseg.labels import CAMVID, LabelSpace
from hierseg.pages.pixels import STEPS, UNKNOWN, write_pixels
from support.browser import CHROMIUM, Browser


def read_pixels(path: Path) -> np.ndarray:
    """(2, H, W) of what the script hands over: train ids, and steps of confidence."""
    text = path.read_text(encoding="utf-8")
    pictures = json.loads(text.partition(", ")[2].rpartition(")")[0])
    content = base64.b64decode(pictures[""].partition(",")[2])
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    assert picture.ndim == 2
    return picture.reshape(2, -1, picture.shape[1])


def test_labels_and_confidence_are_there_and_where_none_is_known_it_says_so(tmp_path: Path) -> None:
    labels = np.arange(48 * 64, dtype=np.int64).reshape(48, 64) % CAMVID.num_classes
    confidence = np.full((48, 64), 0.5, np.float32)
    confidence[:10] = np.nan
    prediction = Prediction(
        np.zeros((48, 64, 3), np.uint8), labels.astype(np.uint8), confidence, CAMVID
    )
    found = read_pixels(write_pixels(prediction, tmp_path / "a.js", "a"))
    assert np.array_equal(found[0], labels)
    assert (found[1, :10] == UNKNOWN).all()
    assert (found[1, 10:] == STEPS // 2).all()


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_pointer_reads_the_pixel_under_it(
    network: Any, space: LabelSpace, image: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    Image.fromarray(image).save(tmp_path / "flag.png")
    predictor = Predictor(network, label_space=space)
    out = tmp_path / "out"
    summary = run_folder(predictor, [tmp_path / "flag.png"], out, RunSettings(("overlay",)))
    with Browser(tmp_path / "profile") as browser:
        browser.open(write_run_page(summary, space, out))
        browser.evaluate("document.querySelector('.card figure img').scrollIntoView()")
        left, top, width, height = browser.evaluate(
            "(() => { const b = document.querySelector('.card figure img').getBoundingClientRect();"
            "return [b.x, b.y, b.width, b.height]; })()"
        )
        tip = "document.getElementById('tip').textContent.trim()"
        for x, y, name in ((0.5, 0.2, "red"), (0.1, 0.9, "green"), (0.9, 0.9, "blue & <b>white")):
            browser.move(left + x * width, top + y * height)
            end = time.monotonic() + 20
            while not str(browser.evaluate(tip)).startswith(name):
                assert time.monotonic() < end, browser.evaluate(tip)
                time.sleep(0.05)
            assert str(browser.evaluate(tip)).endswith(" 100 %")
