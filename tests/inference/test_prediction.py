"""What a prediction gives, to people and to other projects."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from hierseg.errors import UsageError, UserError
from hierseg.inference.exchange import encode_runs
from hierseg.inference.outputs import WRITERS, Look
from hierseg.inference.prediction import Prediction
from hierseg.inference.predictor import Predictor
from hierseg.labels import CAMVID, CITYSCAPES, LabelSpace

Pixels = npt.NDArray[np.uint8]


@pytest.fixture
def prediction(network: Any, space: LabelSpace, image: Pixels) -> Prediction:
    return Predictor(network, label_space=space, keep_probabilities=True)(image)


def _scatter(seed: int, classes: int = 4, size: tuple[int, int] = (50, 70)) -> Prediction:
    """Blots, lines and single pixels, some of them void, and a pixel without a class."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, classes, (7, 9)).astype(np.uint8)
    labels = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_NEAREST)
    dots = generator.random(size) < 0.05
    labels[dots] = generator.integers(0, classes, int(dots.sum()))
    labels[:3, :5] = 255
    confidence = generator.random(size, np.float32)
    space = LabelSpace("s", tuple("abcd"[:classes]), ((9, 9, 9),) * classes, tuple(range(classes)))
    return Prediction(np.zeros((*size, 3), np.uint8), labels, confidence, space)


@pytest.mark.parametrize(
    "form",
    [
        lambda image, _: torch.from_numpy(image).permute(2, 0, 1),
        lambda image, _: torch.from_numpy(image),
        lambda image, _: (torch.from_numpy(image).permute(2, 0, 1) / 255).requires_grad_(),
        lambda image, _: image / 255,
        lambda image, _: (image / 255).astype(np.float16),
        lambda image, _: image.astype(np.uint16) * 256 + 77,
        lambda image, _: np.dstack([image, image[..., :1]]),
        lambda image, _: Image.fromarray(np.dstack([image, image[..., :1]])),
        lambda _, path: path.as_uri(),
        lambda _, path: path.read_bytes(),
        lambda _, path: memoryview(path.read_bytes()),
    ],
)
def test_whatever_a_user_has_is_one_image(
    form: Callable[[Pixels, Path], Any],
    network: Any,
    space: LabelSpace,
    image: Pixels,
    labels: Pixels,
    tmp_path: Path,
) -> None:
    path = tmp_path / "a picture #1.png"
    Image.fromarray(image).save(path)
    found = Predictor(network, label_space=space)(form(image, path))
    assert np.array_equal(found.image, image)
    assert np.array_equal(found.labels, labels)


@pytest.mark.parametrize("form", [lambda a: a[..., 0], lambda a: a[..., :1]])
def test_one_channel_is_grey(form: Any, network: Any, space: LabelSpace, image: Pixels) -> None:
    found = Predictor(network, label_space=space)(form(image))
    assert np.array_equal(found.image, np.stack([image[..., 0]] * 3, axis=2))


def test_a_list_gives_a_list(
    network: Any, space: LabelSpace, image: Pixels, labels: Pixels
) -> None:
    predictor = Predictor(network, (1.0,), label_space=space)
    found = predictor([image, image[:, :40], image])
    assert [one.labels.shape for one in found] == [(40, 60), (40, 40), (40, 60)]
    assert np.array_equal(found[1].labels, labels[:, :40])
    assert predictor([]) == []


def test_an_array_is_held_and_not_copied(network: Any, space: LabelSpace, image: Pixels) -> None:
    found = Predictor(network, label_space=space)(image)
    assert found.image is image
    assert found.labels.base is None
    assert found.probabilities is None


def test_names_masks_tensors(prediction: Prediction, labels: Pixels) -> None:
    assert prediction.names == ("red", "green", "blue & <b>white</b>")
    assert np.array_equal(prediction.mask("green"), labels == 1)
    assert np.array_equal(prediction.mask(2), labels == 2)
    assert prediction.mask(np.int64(0)).dtype == bool
    tensor = prediction.to_tensor()
    assert tensor.dtype == torch.int64
    assert np.array_equal(tensor.numpy(), labels)
    with pytest.raises(UsageError, match=r"no class 'gren'; .* did you mean 'green'\?|'green'\."):
        prediction.mask("gren")
    for wrong in (3, -1, True, None):
        with pytest.raises(UsageError, match="has no class"):
            prediction.mask(wrong)  # type: ignore[arg-type]


def test_probabilities_are_the_softmax_of_every_class(prediction: Prediction) -> None:
    assert prediction.probabilities is not None
    assert prediction.probabilities.shape == (3, 40, 60)
    assert np.allclose(prediction.probabilities.sum(axis=0), 1, atol=1e-5)
    assert np.array_equal(prediction.probabilities.argmax(axis=0), prediction.labels)
    assert np.allclose(prediction.probabilities.max(axis=0), prediction.confidence, atol=1e-6)


def test_probabilities_have_the_temperature(network: Any, space: LabelSpace, image: Pixels) -> None:
    found = Predictor(network, label_space=space, temperature=3.0, keep_probabilities=True)(image)
    assert found.probabilities is not None
    assert np.allclose(found.probabilities.max(axis=0), found.confidence, atol=1e-6)


def test_statistics(prediction: Prediction) -> None:
    found = prediction.statistics()
    assert list(found) == list(prediction.class_shares())
    green = found["green"]
    assert (green.pixels, green.regions) == (300, 1)
    assert green.share == pytest.approx(300 / 2400)
    inside = prediction.confidence[prediction.mask("green")]
    assert green.confidence == pytest.approx(float(inside.mean()), rel=1e-5)
    blots = _scatter(0)
    for name, one in blots.statistics().items():
        mask = blots.mask(name)
        assert one.pixels == mask.sum()
        assert one.regions == cv2.connectedComponents(mask.astype(np.uint8))[0] - 1
    assert sum(one.pixels for one in blots.statistics().values()) == blots.labels.size - 15


@pytest.mark.parametrize("seed", range(3))
def test_filled_polygons_are_the_regions_own_pixels(seed: int) -> None:
    blots = _scatter(seed)
    for name in blots.names:
        drawn, area = np.zeros(blots.labels.shape, np.uint8), 0
        for one in blots.polygons([name]):
            own = np.zeros_like(drawn)
            cv2.fillPoly(own, [one.exterior, *one.holes], 1)
            assert own.sum() == one.area
            assert one.confidence == pytest.approx(float(blots.confidence[own > 0].mean()), 1e-4)
            drawn |= own
            area += one.area
        assert np.array_equal(drawn > 0, blots.mask(name))
        assert area == blots.mask(name).sum()
    every = blots.polygons()
    assert [one.name for one in every] == sorted(one.name for one in every)
    large = blots.polygons(smallest=20)
    assert 0 < len(large) < len(every)
    assert min(one.area for one in large) >= 20
    rough = blots.polygons(smallest=20, tolerance=2)
    assert sum(len(one.exterior) for one in rough) < sum(len(one.exterior) for one in large)


def test_coco_masks_are_what_pycocotools_decodes(tmp_path: Path) -> None:
    masks = pytest.importorskip("pycocotools.mask")
    blots = replace(_scatter(1), source="/somewhere/street.jpg")
    document = json.loads(json.dumps(blots.to_coco(image_id=7)))
    assert document["images"] == [{"id": 7, "file_name": "street.jpg", "height": 50, "width": 70}]
    names = {one["id"]: one["name"] for one in document["categories"]}
    assert names == {1: "a", 2: "b", 3: "c", 4: "d"}
    assert len(document["annotations"]) == 4
    for one in document["annotations"]:
        mask = blots.mask(names[one["category_id"]])
        assert np.array_equal(masks.decode(one["segmentation"]).astype(bool), mask)
        assert masks.area(one["segmentation"]) == one["area"] == mask.sum()
        assert masks.toBbox(one["segmentation"]).tolist() == one["bbox"]
        assert one["image_id"] == 7
        assert one["score"] == pytest.approx(float(blots.confidence[mask].mean()), abs=1e-3)


def test_coco_of_labels_alone_has_no_scores() -> None:
    blots = _scatter(1)
    bare = replace(blots, confidence=np.full_like(blots.confidence, np.nan))
    document = json.loads(json.dumps(bare.to_coco(), allow_nan=False))
    assert [one["area"] for one in document["annotations"]] == [
        one["area"] for one in blots.to_coco()["annotations"]
    ]
    assert not any("score" in one for one in document["annotations"])


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (5, 1), (3, 4), (40, 300)])
def test_every_mask_is_encoded_as_pycocotools_encodes_it(shape: tuple[int, int]) -> None:
    masks = pytest.importorskip("pycocotools.mask")
    generator = np.random.default_rng(0)
    for share in (0, 0.02, 0.5, 0.98, 1):
        mask = generator.random(shape) < share
        expected = masks.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
        assert encode_runs(mask) == expected.decode()


def test_supervision_takes_it() -> None:
    pytest.importorskip("supervision")
    blots = _scatter(2)
    found = blots.to_supervision()
    assert len(found) == 4
    assert found.data["class_name"].tolist() == list("abcd")
    for index, name in enumerate("abcd"):
        assert found.class_id[index] == index
        assert np.array_equal(found.mask[index], blots.mask(name))
        rows, columns = np.nonzero(blots.mask(name))
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert found.xyxy[index].tolist() == box
    void = replace(blots, labels=np.full_like(blots.labels, 255))
    assert len(void.to_supervision()) == 0


def test_without_supervision_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(UserError, match="pip install supervision"):
        _scatter(0).to_supervision()


def test_a_region_is_segmented_where_it_lies(
    network: Any, space: LabelSpace, image: Pixels, labels: Pixels
) -> None:
    predictor = Predictor(
        network, (1.0,), label_space=space, keep_scales=True, keep_probabilities=True
    )
    found = predictor(image, region=(10, 3, 50, 39))
    assert network.calls[-1][0] == (1, 3, 36, 40)
    inside = np.zeros(labels.shape, bool)
    inside[3:39, 10:50] = True
    assert np.array_equal(found.labels[inside], labels[inside])
    assert (found.labels[~inside] == space.ignore).all()
    assert (found.confidence[~inside] == 0).all()
    assert found.confidence[inside].min() > 0
    assert found.per_scale is not None
    assert (found.per_scale[1.0][~inside] == space.ignore).all()
    assert found.probabilities is not None
    assert found.probabilities[:, ~inside].max() == 0
    assert sum(found.class_shares().values()) == pytest.approx(1)
    assert sum(one.share for one in found.statistics().values()) == pytest.approx(1)
    assert np.array_equal(found.overlay()[~inside], image[~inside])
    assert sum(one["area"] for one in found.to_coco()["annotations"]) == inside.sum()


@pytest.mark.parametrize(
    "region", [(0, 0, 61, 40), (-1, 0, 40, 40), (40, 0, 40, 40), (0, 0, 40), "abcd", (0, 0, 9.5, 9)]
)
def test_a_region_out_of_the_image_is_refused(
    region: Any, network: Any, space: LabelSpace, image: Pixels
) -> None:
    with pytest.raises(UsageError, match="region"):
        Predictor(network, label_space=space)(image, region=region)


def test_a_line_and_a_notebook_s_picture(prediction: Prediction) -> None:
    named = replace(prediction, source="/somewhere/street.jpg")
    line = repr(named)
    assert line.startswith("Prediction(street.jpg, 40x60, red 62 %, blue & <b>white</b> 25 %, ")
    assert "\n" not in line
    html = prediction._repr_html_()
    assert "blue &amp; &lt;b&gt;white" in html
    assert "<b>" not in html
    with Image.open(io.BytesIO(prediction._repr_png_())) as shown:
        assert shown.size == (60, 40)
    wide = replace(
        prediction,
        image=np.zeros((900, 2000, 3), np.uint8),
        labels=np.zeros((900, 2000), np.uint8),
    )
    with Image.open(io.BytesIO(wide._repr_png_())) as shown:
        assert shown.size == (640, 288)


def test_saving_to_a_folder_and_to_files(prediction: Prediction, tmp_path: Path) -> None:
    named = replace(prediction, source="/somewhere/street.jpg")
    written = named.save(tmp_path / "out")
    assert [path.name for path in written] == [
        "street_overlay.jpg", "street_color.png", "street_labels.png", "street_ids.png",
    ]  # fmt: skip
    assert sorted(tmp_path.joinpath("out").iterdir()) == sorted(written)
    [path] = named.save(tmp_path / "new" / "labels.png", "labels")
    assert path == tmp_path / "new" / "labels.png"
    assert np.array_equal(np.asarray(Image.open(path)), prediction.labels)
    [path] = named.save(tmp_path / "overlay.png")
    assert np.array_equal(np.asarray(Image.open(path)), prediction.overlay())
    [path] = named.save(tmp_path / "street.json")
    assert json.loads(path.read_text())["images"][0]["file_name"] == "street.jpg"
    [path] = replace(named, frame=12).save(tmp_path, ["overlay"])
    assert path.name == "street_000012_overlay.jpg"
    before = sorted(tmp_path.rglob("*"))
    for where, what in (
        ("labels.jpg", "labels"), ("a.gif", None), ("a.png", ["labels", "ids"]), ("a.png", "what"),
        ("a.json", "labels"), ("a.png", "scales"),
    ):  # fmt: skip
        with pytest.raises(UserError):
            named.save(tmp_path / where, what)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_viewer_is_asked_and_missed(
    prediction: Prediction, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import ImageShow

    shown: list[Any] = []
    monkeypatch.setattr(ImageShow, "show", lambda image, title: bool(shown.append(image)) or True)
    prediction.show()
    assert shown[0].size == (60, 40)
    monkeypatch.setattr(ImageShow, "show", lambda image, title: False)
    with pytest.raises(UserError, match=r"no viewer for pictures; use save\(\)"):
        prediction.show()


def test_label_maps_with_a_palette_have_the_same_ids(tmp_path: Path) -> None:
    labels = np.arange(19 * 40, dtype=np.uint8).reshape(19, 40) % 19
    shown = Prediction(
        np.zeros((19, 40, 3), np.uint8), labels, np.ones((19, 40), np.float32), CITYSCAPES
    )
    look = Look(colored=True)
    for what, ids in (("labels", labels), ("ids", shown.raw_ids())):
        [path] = WRITERS[what](shown, tmp_path, "a", look)
        with Image.open(path) as stored:
            assert stored.mode == "P"
            assert np.array_equal(np.asarray(stored), ids)
            assert np.array_equal(np.asarray(stored.convert("RGB")), shown.color())
        [path] = WRITERS[what](shown, tmp_path, "b", Look())
        with Image.open(path) as stored:
            assert stored.mode == "L"


def test_weights_by_name_and_by_path(tmp_path: Path, image: Pixels) -> None:
    import hierseg

    by_name = hierseg.Predictor("streetlite", scales=(1.0,), device="auto")
    path = tmp_path / "own.safetensors"
    hierseg.save_checkpoint(path, by_name.network, by_name.label_space)
    by_path = hierseg.Predictor(path, scales=(1.0,))
    assert np.array_equal(by_name(image).labels, by_path(image).labels)


def test_memory_is_heeded_as_in_a_folder_run(
    network: Any, space: LabelSpace, image: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hierseg.inference import fitting
    from hierseg.inference.footprint import Fit
    from hierseg.inference.tiling import Windows
    from hierseg.size import Size

    predictor = Predictor(network, (1.0,), label_space=space, memory="8G")
    fits = iter(
        [
            Fit(2, 60, False, 0, 1e9),
            Fit(0, 0, True, 2e9, 1e9, Windows(Size(32, 32))),
            Fit(0, 128, True, 2e9, 1e9),
        ]
    )
    monkeypatch.setattr(fitting.Footprint, "fit", lambda *_: next(fits))
    predictor.predict_batch([image] * 3)
    assert [call[0][0] for call in network.calls] == [2, 1]
    network.calls.clear()
    predictor(image)
    assert {call[0] for call in network.calls} == {(1, 3, 32, 32)}
    with pytest.raises(UserError, match=r"2\.0 GB of memory.*give (--)?long.edge 128"):
        predictor(image)


def test_label_maps_with_a_palette_are_read_as_those_without(tmp_path: Path) -> None:
    from hierseg.data import read_label_ids

    for space in (CITYSCAPES, CAMVID):
        labels = np.arange(40 * 40, dtype=np.uint8).reshape(40, 40) % space.num_classes
        labels[0] = space.ignore
        image = np.zeros((40, 40, 3), np.uint8)
        shown = Prediction(image, labels, np.ones((40, 40), np.float32), space)
        for what, ids, known in (
            ("labels", labels, {*range(space.num_classes), 255}),
            ("ids", shown.raw_ids(), space.known_raw_ids),
        ):
            for path in WRITERS[what](shown, tmp_path, space.name, Look(colored=True)):
                assert np.array_equal(read_label_ids(path), ids)
                assert np.array_equal(read_label_ids(path, known), ids)
