from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from hierseg.files import write_bytes, write_json
from hierseg.inference.outputs import WRITERS
from hierseg.inference.prediction import Prediction
from hierseg.jobs.writers import write_legend
from hierseg.labels import LabelSpace
from hierseg.media.picture_writing import write_picture

Pixels = npt.NDArray[np.uint8]


@pytest.fixture
def prediction(image: Pixels, labels: Pixels, space: LabelSpace) -> Prediction:
    confidence = np.linspace(0, 1, labels.size, dtype=np.float32).reshape(labels.shape)
    return Prediction(
        image, labels, confidence, space, {0.5: confidence}, {0.5: labels, 1.0: labels[::-1]}
    )


def test_label_files_hold_the_ids_without_loss(prediction: Prediction, tmp_path: Path) -> None:
    [path] = WRITERS["labels"](prediction, tmp_path, "a")
    assert path == tmp_path / "a_labels.png"
    with Image.open(path) as stored:
        assert stored.mode == "L"
        assert np.array_equal(np.asarray(stored), prediction.labels)
    [path] = WRITERS["ids"](prediction, tmp_path, "a")
    assert path == tmp_path / "a_ids.png"
    stored_ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert stored_ids is not None
    assert stored_ids.dtype == np.uint16  # raw id 300
    assert np.array_equal(stored_ids, prediction.raw_ids())


def test_raw_ids_are_not_written_where_they_are_the_train_ids(
    prediction: Prediction, tmp_path: Path
) -> None:
    same = replace(
        prediction, label_space=LabelSpace("s", ("a", "b", "c"), ((1, 2, 3),) * 3, (0, 1, 2))
    )
    assert WRITERS["ids"](same, tmp_path, "a") == []
    assert list(tmp_path.iterdir()) == []


def test_colours_are_rgb_and_lossless(prediction: Prediction, tmp_path: Path) -> None:
    [path] = WRITERS["color"](prediction, tmp_path, "a")
    with Image.open(path) as stored:
        assert np.array_equal(np.asarray(stored), prediction.color())


def test_the_overlay_is_a_jpeg_of_the_image_size(prediction: Prediction, tmp_path: Path) -> None:
    [path] = WRITERS["overlay"](prediction, tmp_path, "a")
    assert path.name == "a_overlay.jpg"
    with Image.open(path) as stored:
        assert stored.format == "JPEG"
        assert stored.size == (60, 40)
        assert np.abs(np.asarray(stored)[5, 5].astype(int) - prediction.overlay()[5, 5]).max() < 12


def test_confidence_has_sixteen_bits(prediction: Prediction, tmp_path: Path) -> None:
    [path] = WRITERS["confidence"](prediction, tmp_path, "a")
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert stored is not None
    assert stored.dtype == np.uint16
    assert (stored.min(), stored.max()) == (0, 65535)
    assert np.abs(stored / 65535 - prediction.confidence).max() < 1e-5


def test_attention_and_labels_come_scale_by_scale(prediction: Prediction, tmp_path: Path) -> None:
    data, heat = WRITERS["attention"](prediction, tmp_path, "a")
    assert (data.name, heat.name) == ("a_attention_0.5.png", "a_attention_0.5_heat.jpg")
    stored = cv2.imread(str(data), cv2.IMREAD_UNCHANGED)
    assert stored is not None
    assert np.abs(stored / 255 - prediction.confidence).max() <= 0.5 / 255 + 1e-6
    half, full = WRITERS["scales"](prediction, tmp_path, "a")
    assert (half.name, full.name) == ("a_labels_0.5.png", "a_labels_1.png")
    with Image.open(full) as image:
        assert np.array_equal(np.asarray(image), prediction.labels[::-1])


def test_the_legend_explains_the_files(space: LabelSpace, tmp_path: Path) -> None:
    content = json.loads(write_legend(space, tmp_path).read_text())
    assert content["ignore"] == 255
    assert content["raw_ids_differ"] is True
    assert [entry["raw_id"] for entry in content["classes"]] == [7, 300, 0]


def test_a_failed_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_bytes(tmp_path / "x", b"before")

    def fill_the_disk(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:2])
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", fill_the_disk)
    with pytest.raises(OSError, match="No space"):
        write_bytes(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_ascii_and_knows_no_nan(tmp_path: Path) -> None:
    text = write_json(tmp_path / "x.json", {"name": "straße \udce4"}).read_bytes().decode("ascii")
    assert json.loads(text)["name"] == "straße \udce4"
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "y.json", {"x": float("nan")})


def test_pictures_that_no_format_takes_are_a_defect(tmp_path: Path) -> None:
    with pytest.raises((ValueError, cv2.error)):
        write_picture(tmp_path / "x.png", np.zeros((4, 4, 7), np.uint8))
