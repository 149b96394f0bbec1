from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from hierseg.checkpoint import Header
from hierseg.errors import UserError
from hierseg.inference import Predictor, RunSettings, UnreadableImageError
from hierseg.inference.predictor import decide, decide_at
from hierseg.inference.run import describe_run
from hierseg.labels import CITYSCAPES, LabelSpace
from hierseg.layers import resize_to
from hierseg.models import create_model

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
        (np.zeros((40, 60, 3), np.float32), "float32"),
        (np.zeros((40, 60, 4), np.uint8), r"\(40, 60, 4\)"),
        (np.zeros((3, 40, 60), np.uint8), r"\(3, 40, 60\)"),
        (np.zeros((40, 31, 3), np.uint8), "40x31 is smaller than 32x32"),
    ],
)
def test_arrays_that_are_no_images_are_refused(
    network: Any, space: LabelSpace, array: npt.NDArray[Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        Predictor(network, label_space=space)(array)


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
    with pytest.raises(UserError, match="temperature of 0 is not above 0"):
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
        ({"scales": "0.5 1"}, r"scales are several numbers, not '0\.5 1'"),
        ({"scales": 1.0}, "scales are several numbers"),
        ({"scales": ()}, "no scale is given"),
        ({"scales": (0.5,)}, "must include 1"),
        ({"scales": (0, 1)}, "positive"),
        ({"scales": (1, 1)}, "twice"),
        ({"long_edge": 31}, "a long edge of 31 is too small; give 32 or more"),
        ({"device": "abacus"}, "'abacus' is not there; use --device cpu"),
    ],
)
def test_what_cannot_be_is_refused_before_an_image(
    network: Any, space: LabelSpace, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        Predictor(network, label_space=space, **arguments)


@pytest.mark.parametrize("given", ["streetlite", Path("a.safetensors"), None])
def test_a_name_is_no_network(given: Any) -> None:
    with pytest.raises(UserError, match=r"is no network; give hierseg\.load_model\("):
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
def test_logits_are_resized_class_by_class_with_one_result(
    temperature: float, align_corners: bool
) -> None:
    logits = torch.randn(2, 7, 13, 21, generator=torch.Generator().manual_seed(0)) * 5
    logits[0, 3, :4] = logits[0, 1, :4] = 9  # a tie: the first class, as elsewhere
    labels, confidence = decide_at(logits, (57, 90), temperature, align_corners)
    expected = decide(resize_to(logits, (57, 90), align_corners), temperature)
    assert torch.equal(labels, expected[0])
    assert labels.dtype == torch.uint8
    assert torch.allclose(confidence, expected[1], atol=1e-6)
    logits[0, 2, 5, 5] = torch.nan
    assert not decide_at(logits, (57, 90), temperature, align_corners)[1].isfinite().all()
