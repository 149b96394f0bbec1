"""Predictions in CVAT's XML, read back as `hierseg finetune` reads what CVAT exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from hierseg.data.recognition.cvat import find_cvat
from hierseg.data.recognition.listing import list_folder
from hierseg.data.recognition.shapes import draw_label_map
from hierseg.errors import UserError
from hierseg.inference.outputs import PLAIN
from hierseg.inference.prediction import Prediction
from hierseg.inference.predictor import Predictor
from hierseg.jobs.cvat_xml import join_cvat_xml, write_cvat_xml
from hierseg.jobs.images import run_folder
from hierseg.jobs.run_settings import RunSettings
from hierseg.labels import LabelSpace
from hierseg.size import Size

Pixels = npt.NDArray[np.uint8]
NAMES = ("Background", 'a "b" <c>', "d & e\ufffe", "f")
SPACE = LabelSpace("s", NAMES, ((0, 0, 0), (1, 2, 3), (4, 5, 6), (250, 9, 9)), (0, 1, 2, 3))


def predict(labels: Pixels, source: str) -> Prediction:
    confidence = np.full(labels.shape, np.nan, np.float32)  # as of an exported graph
    return Prediction(
        np.zeros((*labels.shape, 3), np.uint8), labels, confidence, SPACE, source=source
    )


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0)
    maps = {"x": numbers.integers(0, 4, (9, 7)).astype(np.uint8), "y": np.zeros((5, 8), np.uint8)}
    maps["x"][2:6, 1:5] = 3
    maps["x"][8] = 255
    maps["y"][4, 7] = 1  # a mask of one pixel, in a corner
    pieces = []
    for name, labels in maps.items():
        Image.fromarray(np.zeros((*labels.shape, 3), np.uint8)).save(tmp_path / f"{name}.png")
        pieces += write_cvat_xml(predict(labels, f"/in/{name}.png"), tmp_path, name, PLAIN)
    joined = join_cvat_xml(pieces, SPACE, tmp_path)
    for piece in pieces:
        piece.unlink()
    root = ElementTree.parse(joined).getroot()
    assert [one.findtext("name") for one in root.iter("label")] == ['a "b" <c>', "d & e?", "f"]
    assert root.findtext("meta/task/labels/label/color") == "#010203"
    assert [image.get("id") for image in root.iter("image")] == ["0", "1"]
    layout = find_cvat(list_folder(tmp_path))
    assert layout is not None
    assert [*layout.names.values()] == ["background", 'a "b" <c>', "d & e?", "f"]
    for path, shapes in layout.shapes.items():
        labels = maps[path.stem]
        wanted = np.where(labels == 255, 0, labels)
        assert np.array_equal(draw_label_map(shapes, Size(*labels.shape)), wanted)


def test_a_later_run_adds_to_it_and_what_is_damaged_is_named(
    network: Any, space: LabelSpace, image: Pixels, tmp_path: Path
) -> None:
    images = []
    for name in ("a", "b", "c"):
        (tmp_path / "in").mkdir(exist_ok=True)
        images.append(tmp_path / "in" / f"{name}.png")
        Image.fromarray(image).save(images[-1])
    out, settings = tmp_path / "out", RunSettings(("cvat-xml",))
    for some in (images[:1], images[:2]):
        run_folder(Predictor(network, (1.0,), label_space=space), some, out, settings)
        found = ElementTree.parse(out / "cvat.xml").getroot().findall("image")
        assert [one.get("name") for one in found] == [path.name for path in some]
    (out / "a_cvat.xml").write_text("<annotations>\n")
    with pytest.raises(UserError, match=r"a_cvat\.xml is damaged; run again with --overwrite"):
        run_folder(Predictor(network, (1.0,), label_space=space), images, out, settings)
