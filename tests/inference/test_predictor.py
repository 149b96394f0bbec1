from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from hierseg.checkpoint.format import Header
from hierseg.errors import UsageError, UserError
from hierseg.inference.deciding import decide
from hierseg.inference.predictor import Predictor
from hierseg.jobs.run_settings import RunSettings, describe_run
from hierseg.labels import CITYSCAPES, LabelSpace
from hierseg.layers import ResizedMap, TensorMap, resize_to, split_rows
from hierseg.media.pictures import UnreadableImageError
from hierseg.models.registry import create_model

Pixels = npt.NDArray[np.uint8]


def test_arrays_pillow_images_and_paths_give_the_same(
    tmp_path: Path, network: Any, space: LabelSpace, image: Pixels, labels: Pixels
) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(image).save(path)
    predictor = Predictor(network, label_space=space)
    for form in (image, Image.fromarray(image), path, str(path), image[::-1][::-1]):
        prediction = predictor(form)
        assert np.array_equal(prediction.labels, labels)
        assert prediction.labels.dtype == np.uint8
        assert np.array_equal(prediction.image, image)
    read_only = image.copy()
    read_only.setflags(write=False)
    assert np.array_equal(predictor(read_only).labels, labels)


def test_a_grey_array_stands_for_a_grey_image(
    network: Any, space: LabelSpace, image: Pixels
) -> None:
    prediction = Predictor(network, label_space=space)(image[..., 0])
    assert np.array_equal(prediction.image, np.stack([image[..., 0]] * 3, axis=2))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((40, 60, 3), 1.5, np.float32), r"floats from 1\.5 to 1\.5, not in \[0, 1\]"),
        (np.full((40, 60), -0.25), r"floats from -0\.25 to -0\.25, not in \[0, 1\]"),
        (np.full((40, 60), np.nan), r"floats from nan to nan, not in \[0, 1\]"),
        (np.zeros((40, 60, 3), np.int64), r"int64, not of uint8.*array\.astype\(np\.uint8\)"),
        (np.zeros((40, 60, 3), bool), r"an array of bool, not of uint8, RGB, \(H, W, 3\)\.$"),
        (np.zeros((40, 60, 2), np.uint8), r"\(40, 60, 2\); give \(H, W, 3\), RGB\.$"),
        (np.zeros((3, 40, 60), np.uint8), r"\(3, 40, 60\).*array\.transpose\(1, 2, 0\)"),
        (np.zeros((2, 40, 60, 3), np.uint8), "or several images to predict_batch"),
        (np.zeros((40, 31, 3), np.uint8), "40x31 is smaller than 32x32"),
        (np.zeros((0, 40, 3), np.uint8), "0x40 is smaller than 32x32"),
        (b"\xff\xd8\xff", "the image: "),
        (b"", "the image: no bytes are given"),
        (b"<html>", "the image: a web page"),
        (
            "https://example.org/a.jpg",
            "not a file on this machine, and hierseg downloads no images",
        ),
        ("file://elsewhere/a.jpg", "not a file on this machine"),
        (None, "NoneType is not an image"),
        (7, "int is not an image"),
        ({"image": 1}, "dict is not an image"),
        ([[1, 2], [3]], "of type list, is not an array"),
        (torch.zeros(2, 40, 60), r"shape \(2, 40, 60\)"),
    ],
)
def test_what_is_no_image_is_refused(
    network: Any, space: LabelSpace, array: Any, message: str
) -> None:
    predictor = Predictor(network, label_space=space)
    with pytest.raises(UserError, match=message):
        predictor(array) if not isinstance(array, list) else predictor([array])
    with pytest.raises(UserError):
        predictor.predict_batch([array])


def test_a_batch_takes_whatever_an_image_may_be_of_any_size_in_order(
    tmp_path: Path, network: Any, space: LabelSpace, image: Pixels, labels: Pixels
) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(image).save(path)
    read_only, wide = image.copy(), np.concatenate([image, image], axis=1)
    read_only.setflags(write=False)
    given = [image, wide, path, str(path), Image.fromarray(image), read_only, wide, image[::-1]]
    predictor = Predictor(network, (1.0,), label_space=space)
    double = np.concatenate([labels, labels], axis=1)
    expected = [labels, double, labels, labels, labels, labels, double, labels[::-1]]
    for batch in (given, tuple(given), iter(given)):
        network.calls.clear()
        found = predictor.predict_batch(batch)
        assert all(np.array_equal(a.labels, b) for a, b in zip(found, expected, strict=True))
        assert [call[0] for call in network.calls] == [(6, 3, 40, 60), (2, 3, 40, 120)]
    stacked = predictor.predict_batch(np.stack([image, image]))
    assert [one.labels.tolist() for one in stacked] == [labels.tolist()] * 2


def test_no_images_give_no_predictions(network: Any, space: LabelSpace) -> None:
    assert Predictor(network, label_space=space).predict_batch([]) == []
    assert network.calls == []


@pytest.mark.parametrize("given", ["a.jpg", Path("a.jpg"), b"x", None, 3, "image", "pillow"])
def test_one_image_is_no_batch(network: Any, space: LabelSpace, image: Pixels, given: Any) -> None:
    given = {"image": image, "pillow": Image.fromarray(image)}.get(given, given)
    with pytest.raises(UserError, match=r"this is one \w+; give a list of them"):
        Predictor(network, label_space=space).predict_batch(given)


def test_an_image_of_a_batch_that_cannot_be_read_is_named(
    network: Any, space: LabelSpace, image: Pixels, tmp_path: Path
) -> None:
    with pytest.raises(UnreadableImageError, match=r"nowhere\.png: there is no such file"):
        Predictor(network, label_space=space).predict_batch([image, tmp_path / "nowhere.png"])


@pytest.mark.parametrize("damage", ["closed", "cut short"])
def test_a_pillow_image_that_cannot_be_decoded_is_refused(
    network: Any, space: LabelSpace, image: Pixels, damage: str
) -> None:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    picture = Image.open(io.BytesIO(file.getvalue()[: 90 if damage == "cut short" else None]))
    if damage == "closed":
        picture.close()
    with pytest.raises(UserError, match="the image: "):
        Predictor(network, label_space=space)(picture)


@pytest.mark.parametrize("alpha", [2.0, -1, 1.001, float("nan"), float("inf"), None, "0.5"])
def test_the_weight_of_an_overlay_is_a_share(
    network: Any, space: LabelSpace, image: Pixels, alpha: Any
) -> None:
    prediction = Predictor(network, label_space=space)(image)
    with pytest.raises(UserError, match="not a weight of colours; give one from 0 to 1"):
        prediction.overlay(alpha)
    for possible in (0, 1, 0.5, True, np.float32(0.25)):
        assert prediction.overlay(possible).shape == image.shape


def test_confidence_is_the_softmax_of_the_class_chosen() -> None:
    logits = torch.randn(2, 5, 7, 9) * 30
    labels, confidence = decide(logits)
    expected, chosen = logits.softmax(1).max(1)
    assert torch.equal(labels.long(), chosen)
    assert torch.allclose(confidence, expected, atol=1e-6)
    assert confidence.dtype == torch.float32
    assert float(confidence.max()) <= 1


def test_a_temperature_changes_confidence_and_no_label() -> None:
    logits = torch.randn(2, 5, 7, 9) * 3
    logits[0, 1:3, 0, 0] = torch.tensor([50.0, torch.tensor(50.0).nextafter(torch.tensor(60.0))])
    plain, _ = decide(logits)
    for temperature in (0.4, 3.0, 1e6):
        labels, confidence = decide(logits, temperature)
        assert torch.equal(labels, plain)
        expected = (logits / temperature).softmax(1).amax(1)
        assert torch.allclose(confidence, expected, atol=1e-6)


def test_unsure_pixels_have_no_class_and_a_temperature_makes_more_of_them(
    space: LabelSpace, image: Pixels
) -> None:
    torch.manual_seed(0)
    network = create_model("lite0-ocr-hier", space.num_classes).eval()
    plain = Predictor(network, label_space=space)(image)
    threshold = float(np.median(plain.confidence))
    sure = Predictor(network, label_space=space, unknown=threshold)
    prediction = sure(image)
    unsure = plain.confidence < threshold
    assert 0 < unsure.mean() < 1
    assert np.array_equal(prediction.labels, np.where(unsure, space.ignore, plain.labels))
    assert np.array_equal(prediction.confidence, plain.confidence)
    flat = Predictor(network, label_space=space, unknown=threshold, temperature=100.0)(image)
    assert (flat.labels == space.ignore).all()
    part = sure(image, region=(0, 0, 40, 40))
    assert set(np.unique(part.labels[:, 40:])) == {space.ignore}
    assert describe_run(sure, RunSettings())["unknown"] == threshold
    assert "unknown" not in describe_run(Predictor(network, label_space=space), RunSettings())
    with pytest.raises(UsageError, match=r"unknown 1.5 is not a probability"):
        Predictor(network, label_space=space, unknown=1.5)


def test_the_checkpoint_s_temperature_is_used_unless_another_is_given(
    network: Any, space: LabelSpace, image: Pixels
) -> None:
    plain = Predictor(network, label_space=space)
    network.header = Header(1, "x", {}, space, (1.0,), False, extra={"temperature": 2.0})
    stored, given = Predictor(network), Predictor(network, temperature=0.5)
    assert (plain.temperature, stored.temperature, given.temperature) == (1, 2, 0.5)
    found = [predictor(image // 6) for predictor in (given, plain, stored)]
    assert all(np.array_equal(one.labels, found[0].labels) for one in found)
    means = [one.confidence.mean() for one in found]
    assert means[0] > means[1] > means[2]
    settings = RunSettings(save=("labels",))
    assert describe_run(stored, settings)["temperature"] == 2
    assert "temperature" not in describe_run(plain, settings)
    with pytest.raises(UserError, match="temperature of 0 is not a number above 0"):
        Predictor(network, temperature=0)


def test_scales_and_flip_reach_the_network(
    network: Any, space: LabelSpace, image: Pixels, labels: Pixels
) -> None:
    prediction = Predictor(network, scales=(1, 2), flip=True, label_space=space)(image)
    assert [call[1] for call in network.calls] == [(1.0, 2.0), (1.0, 2.0)]
    assert np.array_equal(prediction.labels, labels)
    assert prediction.attention is None
    assert prediction.per_scale is None


def test_the_long_edge_is_what_is_run_and_results_are_of_the_image_size(
    network: Any, space: LabelSpace, image: Pixels, labels: Pixels
) -> None:
    predictor = Predictor(network, (0.5, 1.0), label_space=space, keep_scales=True, long_edge=250)
    prediction = predictor(image)
    height, width = labels.shape
    assert network.calls[0][0][-2:] == (250 * height // width, 250)
    assert prediction.labels.shape == prediction.confidence.shape == labels.shape
    assert (prediction.labels == labels).mean() > 0.98
    assert prediction.image is image
    assert prediction.attention is not None
    assert prediction.attention[0.5].shape == labels.shape
    assert describe_run(predictor, RunSettings())["long_edge"] == 250


def test_kept_scales_are_of_the_image_size_and_the_largest_has_no_attention(
    network: Any, space: LabelSpace, image: Pixels, labels: Pixels
) -> None:
    prediction = Predictor(network, (2.0, 0.5, 1.0), label_space=space, keep_scales=True)(image)
    assert prediction.attention is not None
    assert prediction.per_scale is not None
    assert list(prediction.attention) == [0.5, 1.0]
    assert list(prediction.per_scale) == [0.5, 1.0, 2.0]
    for scale, weight in prediction.attention.items():
        assert weight.shape == labels.shape
        assert weight.dtype == np.float32
        assert weight[:, -1].mean() == pytest.approx(scale)
        assert weight[:, 0].mean() == pytest.approx(0)
    assert np.array_equal(prediction.per_scale[1.0], labels)
    assert (prediction.per_scale[0.5] == labels).mean() > 0.9


def test_the_network_runs_in_evaluation_mode(
    network: Any, space: LabelSpace, image: Pixels
) -> None:
    network.train()
    Predictor(network, label_space=space)
    assert not network.training


def test_the_label_space_is_the_checkpoints_unless_given(network: Any, space: LabelSpace) -> None:
    with pytest.raises(UserError, match="label space"):
        Predictor(network)
    with pytest.raises(UserError, match="19 classes and the network 3"):
        Predictor(network, label_space=CITYSCAPES)
    network.header = Header(1, "b", {}, space, (1.0,), False, {}, {})
    assert Predictor(network).label_space is space


def test_what_a_prediction_says(
    network: Any, space: LabelSpace, image: Pixels, labels: Pixels
) -> None:
    prediction = Predictor(network, label_space=space)(image)
    assert np.array_equal(prediction.color(), image)
    assert np.array_equal(prediction.raw_ids(), np.array([7, 300, 0])[labels])
    shares = prediction.class_shares()
    assert list(shares) == ["red", "blue & <b>white</b>", "green"]
    assert shares["green"] == pytest.approx(15 * 20 / 2400)
    assert sum(shares.values()) == pytest.approx(1)
    with pytest.raises(UnreadableImageError):
        Predictor(network, label_space=space)("nowhere.png")


def test_the_long_edge_has_its_length(network: Any, space: LabelSpace) -> None:
    image = np.zeros((98, 98, 3), np.uint8)
    Predictor(network, (1.0,), label_space=space, long_edge=32)(image)
    assert network.calls[-1][0] == (1, 3, 32, 32)


@pytest.mark.parametrize(
    ("way", "scales", "kept"),
    [
        ("hierarchical", (0.5, 1.0, 2.0), [0.5, 1.0]),
        ("paired", (0.5, 1.0, 2.0), [0.5, 1.0]),
        ("explicit", (0.5, 1.0), [0.5, 1.0]),
        ("average", (0.5, 1.0), []),
    ],
)
def test_attention_is_kept_where_it_decides(
    way: str, scales: tuple[float, ...], kept: list[float]
) -> None:
    arguments = {"combine": way, "width": 4, "shallow": True}
    if way == "explicit":
        arguments |= {"train_scales": scales, "scales": scales}
    network = create_model("deeplabv3plus-wrn38", 19, **arguments)
    assert network.fusion.attends == (way != "average")
    predictor = Predictor(network, scales, label_space=CITYSCAPES, keep_scales=True)
    prediction = predictor(np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8))
    assert prediction.attention is not None
    assert list(prediction.attention) == kept
    if way == "explicit":
        total = sum(prediction.attention.values())
        assert np.allclose(total, 1, atol=0.05)  # but for what resizing does to each


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scales": "0.5 1"}, r"scales are a list of numbers, not '0\.5 1'"),
        ({"scales": 1.0}, "scales are a list of numbers"),
        ({"scales": ()}, "no scale is given"),
        ({"scales": (0.5,)}, "must include 1"),
        ({"scales": (0, 1)}, "positive"),
        ({"scales": (1, 1)}, "twice"),
        ({"long_edge": 31}, "a long edge of 31 is too small, or not a whole number; give 32"),
        ({"long_edge": 640.5}, r"a long edge of 640\.5"),
        ({"long_edge": float("nan")}, "a long edge of nan"),
        ({"long_edge": "640"}, "long edge"),
        ({"device": 3.5}, r"'3\.5' is not there"),
        ({"device": "abacus"}, "'abacus' is not there; use --device cpu"),
        ({"temperature": float("inf")}, "a temperature of inf is not a number above 0"),
        ({"temperature": float("nan")}, "a temperature of nan"),
        ({"temperature": "1"}, "a temperature of '1'"),
        ({"label_space": "cityscapes"}, "'cityscapes' is not a label space"),
    ],
)
def test_what_cannot_be_is_refused_before_an_image(
    network: Any, space: LabelSpace, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        Predictor(network, **{"label_space": space, **arguments})


@pytest.mark.parametrize("given", [3, torch.nn.Linear(1, 1)])
def test_what_is_no_network_is_refused(given: Any) -> None:
    with pytest.raises(UserError, match=r"is not a network; give hierseg\.load_model\("):
        Predictor(given)


@pytest.mark.parametrize("given", ["streetlit", Path("a.safetensors"), ""])
def test_weights_that_are_not_there_are_refused(given: Any) -> None:
    with pytest.raises(UserError, match="weights"):
        Predictor(given)


def _with_edge(network: Any, space: LabelSpace, long_edge: int) -> Any:
    network.header = Header(1, "x", {}, space, (1.0,), False, extra={"long_edge": long_edge})
    return network


@pytest.mark.parametrize(
    ("size", "edge"),
    [
        ((360, 480), 480),
        ((640, 640), 640),
        ((810, 1080), 640),
        ((4000, 3000), 640),
        ((40, 4000), 3200),  # 32 pixels are left of the shorter side
        ((33, 10000), 9697),
        ((32, 10000), 10000),
    ],
)
def test_larger_images_are_run_at_the_long_edge_of_the_checkpoint(
    network: Any, space: LabelSpace, size: tuple[int, int], edge: int
) -> None:
    predictor = Predictor(_with_edge(network, space, 640))
    assert predictor.find_edge(*size) == edge
    assert min(size) * edge // max(size) >= 32
    assert Predictor(network, long_edge=None).find_edge(*size) == max(size)
    assert Predictor(network, long_edge=700).find_edge(*size) == 700


def test_the_checkpoint_s_long_edge_is_run_and_told_apart(network: Any, space: LabelSpace) -> None:
    image = np.random.default_rng(0).integers(0, 255, (100, 150, 3)).astype(np.uint8)
    stored = Predictor(_with_edge(network, space, 96))
    assert stored(image).labels.shape == (100, 150)
    assert network.calls[-1][0] == (1, 3, 64, 96)
    assert stored(image[:40, :90]).labels.shape == (40, 90)
    assert network.calls[-1][0] == (1, 3, 40, 90)
    settings = RunSettings(save=("labels",))
    assert describe_run(stored, settings)["longest"] == 96
    own = Predictor(network, long_edge=None)
    own(image)
    assert network.calls[-1][0] == (1, 3, 100, 150)
    assert not {"longest", "long_edge"} & describe_run(own, settings).keys()
    with pytest.raises(UserError, match="'large' is no long edge"):
        Predictor(network, long_edge="large")  # type: ignore[arg-type]


@pytest.mark.parametrize("temperature", [1.0, 1.7])
@pytest.mark.parametrize("align_corners", [False, True])
def test_logits_are_resized_and_decided_by_rows_with_one_result(
    temperature: float, align_corners: bool
) -> None:
    logits = torch.randn(2, 7, 13, 21, generator=torch.Generator().manual_seed(0)) * 5
    logits[0, 3, :4] = logits[0, 1, :4] = 9  # a tie: the first class, as elsewhere
    resized = ResizedMap(TensorMap(logits), (57, 90), align_corners)
    expected = decide(resize_to(logits, (57, 90), align_corners), temperature)
    for band in split_rows((57, 90), 16):
        labels, confidence = decide(resized.rows(band.top, band.bottom), temperature)
        assert torch.equal(labels, band.cut(expected[0]))
        assert labels.dtype == torch.uint8
        assert torch.allclose(confidence, band.cut(expected[1]), atol=1e-6)
    logits[0, 2, 5, 5] = torch.nan
    assert not decide(resized.rows(16, 32), temperature)[1].isfinite().all()
