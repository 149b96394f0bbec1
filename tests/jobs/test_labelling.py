"""Predictions for labelling tools, read as these read them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import yaml
from PIL import Image

from hierseg.errors import UserError
from hierseg.inference.outputs import PLAIN
from hierseg.inference.prediction import Prediction
from hierseg.inference.predictor import Predictor
from hierseg.jobs.images import run_folder
from hierseg.jobs.labelling import LABELLING
from hierseg.jobs.run_settings import RunSettings
from hierseg.labels import LabelSpace

Pixels = npt.NDArray[np.uint8]
SAVE = ("coco", "cvat", "yolo")


def _run(network: Any, space: LabelSpace, images: list[Path], out: Path, **more: Any) -> None:
    predictor = Predictor(network, (1.0,), label_space=space)
    run_folder(predictor, images, out, RunSettings(**{"save": SAVE, **more}))


def _write(folder: Path, image: Pixels, names: list[str]) -> list[Path]:
    paths = []
    for place, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.roll(image, 7 * place, axis=1)).save(path)
        paths.append(path)
    return paths


def test_coco_is_one_document_of_all_images_that_a_later_run_adds_to(
    network: Any, space: LabelSpace, image: Pixels, labels: Pixels, tmp_path: Path
) -> None:
    api = pytest.importorskip("pycocotools.coco")
    images = _write(tmp_path / "in", image, ["a.png", "b.png", "c.png"])
    out = tmp_path / "out"
    _run(network, space, images[:2], out)
    assert len(json.loads((out / "coco.json").read_text())["images"]) == 2
    _run(network, space, images, out)
    coco = api.COCO(str(out / "coco.json"))
    assert [one["file_name"] for one in coco.loadImgs(coco.getImgIds())] == [
        "a.png", "b.png", "c.png",
    ]  # fmt: skip
    assert [one["name"] for one in coco.loadCats(coco.getCatIds())] == list(space.names)
    for place, number in enumerate(coco.getImgIds()):
        expected = np.roll(labels, 7 * place, axis=1)
        found = np.full(labels.shape, 255, np.uint8)
        for one in coco.loadAnns(coco.getAnnIds(imgIds=number)):
            found[coco.annToMask(one) > 0] = one["category_id"] - 1
        assert np.array_equal(found, expected)


def test_cvat_reads_a_class_off_each_colour(
    network: Any, space: LabelSpace, image: Pixels, labels: Pixels, tmp_path: Path
) -> None:
    images = _write(tmp_path / "in", image, ["left/a.png", "right/a.png"])
    out = tmp_path / "out"
    _run(network, space, images, out)
    lines = (out / "cvat" / "labelmap.txt").read_text().splitlines()
    assert lines[:2] == ["# label:color_rgb:parts:actions", "background:0,0,0::"]
    colors = {
        tuple(map(int, color.split(","))): name
        for name, color, *_ in (line.split(":") for line in lines[2:])
    }
    assert list(colors.values()) == list(space.names)
    names = (out / "cvat/ImageSets/Segmentation/default.txt").read_text().split()
    assert len(names) == 2
    for place, name in enumerate(names):
        mask = np.asarray(Image.open(out / "cvat" / "SegmentationClass" / f"{name}.png"))
        found = np.array(
            [[space.names.index(colors[tuple(p)]) for p in row.tolist()] for row in mask]
        )
        assert np.array_equal(found, np.roll(labels, 7 * place, axis=1))


def test_cvat_colours_are_one_for_each_class_and_black_has_none(tmp_path: Path) -> None:
    names = ("background", "a:b", "c", "d")
    space = LabelSpace("s", names, ((9, 9, 9), (0, 0, 0), (1, 1, 1), (1, 1, 1)), (0, 1, 2, 3))
    labels = np.repeat(np.arange(5, dtype=np.uint8)[None], 4, axis=0)
    labels[labels == 4] = 255
    shown = Prediction(np.zeros((4, 5, 3), np.uint8), labels, np.ones((4, 5), np.float32), space)
    [path] = LABELLING["cvat"](shown, tmp_path, "x", PLAIN)
    mask = np.asarray(Image.open(path))[0]
    assert mask[0].tolist() == mask[4].tolist() == [0, 0, 0]
    assert len({tuple(one) for one in mask[:4].tolist()}) == 4


def _read_yolo(text: str, size: tuple[int, int]) -> Pixels:
    found = np.full(size, 255, np.uint8)
    for line in text.splitlines():
        train, *numbers = line.split()
        shares = np.array(numbers, float).reshape(-1, 2)
        assert shares.min() > 0
        assert shares.max() < 1
        points = np.rint(shares * size[::-1] - 0.5).astype(np.int32)
        cv2.fillPoly(found, [points], int(train))
    return found


def test_yolo_s_polygons_are_the_classes(
    network: Any, space: LabelSpace, image: Pixels, labels: Pixels, tmp_path: Path
) -> None:
    [path] = _write(tmp_path / "in", image, ["a.png"])
    _run(network, space, [path], tmp_path / "out")
    text = (tmp_path / "out" / "yolo" / "labels" / "a.txt").read_text()
    assert np.array_equal(_read_yolo(text, labels.shape), labels)
    described = yaml.safe_load((tmp_path / "out" / "yolo" / "data.yaml").read_text())
    assert described["names"] == dict(enumerate(space.names))


def test_yolo_s_holes_are_cut_out(space: LabelSpace, tmp_path: Path) -> None:
    labels = np.zeros((60, 80), np.uint8)
    labels[10:25, 10:25] = 1
    cv2.circle(labels, (55, 35), 15, 2, -1)
    labels[30:40, 50:60] = 0
    shown = Prediction(
        np.zeros((60, 80, 3), np.uint8), labels, np.ones((60, 80), np.float32), space
    )
    [path] = LABELLING["yolo"](shown, tmp_path, "x", PLAIN)
    lines = path.read_text().splitlines()
    found = _read_yolo("\n".join(lines), (60, 80))
    assert (found == labels).mean() > 0.97  # but for the tolerance, and the cuts
    only = _read_yolo("\n".join(line for line in lines if line.startswith("2 ")), (60, 80))
    assert (only[32:38, 52:58] == 255).mean() > 0.8


def test_what_is_damaged_meanwhile_is_named(
    network: Any, space: LabelSpace, image: Pixels, tmp_path: Path
) -> None:
    images = _write(tmp_path / "in", image, ["a.png", "b.png"])
    _run(network, space, images[:1], tmp_path / "out", save=("coco",))
    (tmp_path / "out" / "a_coco.json").write_text("[]")
    with pytest.raises(UserError, match=r"a_coco\.json is damaged; run again with --overwrite"):
        _run(network, space, images, tmp_path / "out", save=("coco",))


def test_a_file_of_the_user_s_is_not_replaced(
    network: Any, space: LabelSpace, image: Pixels, tmp_path: Path
) -> None:
    images = _write(tmp_path / "in", image, ["a.png"])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "coco.json").write_text("mine")
    with pytest.raises(UserError, match=r"coco\.json"):
        _run(network, space, images, tmp_path / "out")
    assert (tmp_path / "out" / "coco.json").read_text() == "mine"


def test_the_file_name_is_the_image_s(space: LabelSpace, labels: Pixels, tmp_path: Path) -> None:
    shown = Prediction(
        np.zeros((*labels.shape, 3), np.uint8), labels, np.ones(labels.shape, np.float32), space
    )
    [path] = LABELLING["coco"](replace(shown, source="/x/y z.jpg"), tmp_path, "n", PLAIN)
    assert path.name == "n_coco.json"
    assert json.loads(path.read_text())["images"][0]["file_name"] == "y z.jpg"


def test_what_is_damaged_does_not_hide_why_a_run_ended(
    network: Any, space: LabelSpace, image: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = _write(tmp_path / "in", image, ["a.png", "b.png"])
    out = tmp_path / "out"
    _run(network, space, images[:1], out, save=("coco",))
    (out / "a_coco.json").write_text("[]")

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("hierseg.jobs.images._segment", interrupt)
        with (
            pytest.warns(UserWarning, match=r"a_coco\.json is damaged"),
            pytest.raises(KeyboardInterrupt, match="interrupted; 1 images are done"),
        ):
            _run(network, space, images, out, save=("coco",))
    assert not json.loads((out / "summary.json").read_text())["complete"]
