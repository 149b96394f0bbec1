"""Tasks of Label Studio, read by the rules that its brushes are packed by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from hierseg.errors import UserError
from hierseg.inference.outputs import PLAIN
from hierseg.inference.prediction import Prediction
from hierseg.inference.predictor import Predictor
from hierseg.jobs.images import run_folder
from hierseg.jobs.label_studio import encode_brush, write_task
from hierseg.jobs.run_settings import RunSettings
from hierseg.labels import LabelSpace
from hierseg.media import UnwritableError

Pixels = npt.NDArray[np.uint8]


def decode_brush(content: list[int], height: int, width: int) -> npt.NDArray[np.bool_]:
    """The alpha of a brush, unpacked bit by bit."""
    bits = "".join(f"{one:08b}" for one in content)
    place = 0

    def read(size: int) -> int:
        nonlocal place
        place += size
        return int(bits[place - size : place], 2)

    values = np.zeros(read(32), np.uint8)
    word = read(5) + 1
    lengths = [read(4) + 1 for _ in range(4)]
    at = 0
    while at < len(values):
        is_run = read(1)
        end = at + 1 + read(lengths[read(2)])
        if is_run:
            values[at:end] = read(word)
        else:
            values[at:end] = [read(word) for _ in range(end - at)]
        at = end
    pixels = values.reshape(height, width, 4)
    assert (pixels == pixels[..., :1]).all()
    assert set(np.unique(pixels).tolist()) <= {0, 255}
    return pixels[..., 3] == 255


def test_brushes_hold_runs_of_every_length() -> None:
    for length in (1, 2, 3, 4, 5, 63, 64, 65, 16384, 16385, 40000):
        for begin in (0, 1, 7):
            flat = np.zeros(40320, np.bool_)
            flat[begin : begin + length] = True
            mask = flat.reshape(160, 252)
            assert np.array_equal(decode_brush(encode_brush(mask), 160, 252), mask)
    noise = np.random.default_rng(0).random((31, 17)) < 0.5
    assert np.array_equal(decode_brush(encode_brush(noise), 31, 17), noise)


def test_tasks_have_a_brush_for_each_class_and_later_runs_add_to_them(
    network: Any, space: LabelSpace, image: Pixels, labels: Pixels, tmp_path: Path
) -> None:
    images = []
    for name in ("a b.png", "c.png"):
        (tmp_path / "in").mkdir(exist_ok=True)
        images.append(tmp_path / "in" / name)
        Image.fromarray(image).save(images[-1])
    out, settings = tmp_path / "out", RunSettings(("labelstudio",))
    for some in (images[:1], images):
        run_folder(Predictor(network, (1.0,), label_space=space), some, out, settings)
        tasks = json.loads((out / "labelstudio.json").read_text())
        assert len(tasks) == len(some)
    assert tasks[0]["data"] == {"image": "/data/local-files/?d=a%20b.png"}
    interface = ElementTree.parse(out / "labelstudio.xml").getroot()
    control = interface.find("BrushLabels")
    assert control is not None
    names = [one.get("value") for one in control]
    assert names == list(space.names)
    for task in tasks:
        (predicted,) = task["predictions"]
        found = np.full(labels.shape, 255, np.uint8)
        for one in predicted["result"]:
            assert (one["from_name"], one["to_name"]) == (control.get("name"), "image")
            assert (one["original_height"], one["original_width"]) == labels.shape
            assert 0 < one["score"] <= 1
            (name,) = one["value"]["brushlabels"]
            found[decode_brush(one["value"]["rle"], *labels.shape)] = names.index(name)
        assert np.array_equal(found, labels)
    (out / "c_labelstudio.json").write_text("[]")
    with pytest.raises(UserError, match=r"c_labelstudio\.json is damaged; run again"):
        run_folder(Predictor(network, (1.0,), label_space=space), images[:1], out, settings)


def test_background_has_no_brush_and_labels_alone_no_score(tmp_path: Path) -> None:
    names = ("background", "a")
    space = LabelSpace("s", names, ((0, 0, 0), (1, 2, 3)), (0, 1))
    labels = np.eye(4, dtype=np.uint8)
    confidence = np.full((4, 4), np.nan, np.float32)
    shown = Prediction(np.zeros((4, 4, 3), np.uint8), labels, confidence, space)
    [path] = write_task(shown, tmp_path, "x", PLAIN)
    (brush,) = json.loads(path.read_text())[0]["predictions"][0]["result"]
    assert brush["value"]["brushlabels"] == ["a"]
    assert "score" not in brush


def test_a_brush_of_more_pixels_than_it_can_is_none(tmp_path: Path) -> None:
    huge = np.broadcast_to(np.uint8(0), (1 << 15, 1 << 15))
    space = LabelSpace("s", ("a",), ((1, 2, 3),), (0,))
    shown = Prediction(huge, huge, np.broadcast_to(np.float32(0), huge.shape), space)
    with pytest.raises(UnwritableError, match="32768x32768 pixels"):
        write_task(shown, tmp_path, "x", PLAIN)
