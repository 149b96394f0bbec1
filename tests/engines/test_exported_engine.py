"""An exported file is weights like any other; what it cannot do is refused by the flag."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from hierseg.data import open_dataset
from hierseg.engines import describe_engine, load_weights, open_engine
from hierseg.engines.exported_engine import ExportedEngine
from hierseg.errors import UsageError, UserError, flags_shown
from hierseg.evaluation import CalibrationWatcher
from hierseg.evaluation.evaluator import evaluate
from hierseg.inference.predictor import Predictor
from hierseg.inference.segmenter import Segmenter
from hierseg.options import RunOptions
from hierseg.size import Size
from support.exported import SIZE, SPACE, find_exported, make_images, make_network

OTHER = Size(66, 130)


@pytest.fixture
def labels_only() -> ExportedEngine:
    return ExportedEngine(find_exported("pt2", "labels"))


@pytest.fixture
def with_logits() -> ExportedEngine:
    return ExportedEngine(find_exported("pt2", "logits", None))


def as_array(images: torch.Tensor) -> np.ndarray:
    return images[0].permute(1, 2, 0).contiguous().numpy()


def test_weights_of_any_kind_are_run(with_logits: ExportedEngine) -> None:
    engine = load_weights(with_logits.path)
    assert isinstance(engine, ExportedEngine)
    assert engine.header.label_space == SPACE
    assert (engine.num_classes, engine.scales, str(engine.device)) == (4, (0.5, 1.0), "cpu")
    assert (engine.attends, engine.weighs_largest, engine.align_corners) == (True, False, False)
    assert describe_engine(engine) == "torch float32, an exported graph"
    assert engine.fingerprint() == with_logits.fingerprint()
    assert engine.fingerprint() != ExportedEngine(find_exported("pt2", "labels")).fingerprint()
    with pytest.raises(UsageError, match="runs on the CPU"):
        load_weights(with_logits.path, "cuda")


@pytest.mark.parametrize("how", [{}, {"flip": True}, {"mode": "slide", "window": Size(64, 64)}])
def test_predictions_are_those_of_the_network(
    with_logits: ExportedEngine, how: dict[str, Any]
) -> None:
    image, options = as_array(make_images(1, OTHER)), RunOptions(**how)
    found = Predictor(with_logits, options=options)(image)
    expected = Predictor(make_network(), options=options)(image)
    assert (found.labels != expected.labels).mean() < 1e-3
    np.testing.assert_allclose(found.confidence, expected.confidence, atol=1e-3)


def test_labels_alone_have_no_confidence(labels_only: ExportedEngine) -> None:
    predictor = Predictor(labels_only)
    image = as_array(make_images())
    first, second = predictor.predict_batch([image, image[::-1].copy()])
    expected = Predictor(make_network())
    assert np.array_equal(first.labels, expected(image).labels)
    assert np.array_equal(second.labels, expected(image[::-1].copy()).labels)
    assert np.isnan(first.confidence).all()
    with pytest.raises(UsageError, match="this needs the confidence, and .* gives labels alone"):
        predictor.require_confidence("this")
    Predictor(ExportedEngine(find_exported("pt2", "confidence"))).require_confidence("this")


def test_other_sizes_than_the_files_own_are_refused(labels_only: ExportedEngine) -> None:
    with pytest.raises(UserError, match=f"takes images of {SIZE} alone, and this is {OTHER}"):
        labels_only.decide(make_images(1, OTHER))
    with pytest.raises(UserError, match=r"takes images of uint8, and these are torch\.float32"):
        labels_only.decide(make_images().float())


REFUSED = [
    ({"scales": (1.0,)}, "--scales 1: .* has scales 0.5 1 in it and no others"),
    ({"budget": 0.6}, "--budget needs the network itself"),
    ({"gate": 0.1}, "--gate needs the network itself"),
    ({"fusion": "average"}, "--fusion needs the network itself"),
    ({"engine": "openvino"}, "--engine openvino: .* is run by torch"),
    ({"precision": "bf16"}, "--precision bf16: .* is of float32"),
]


@pytest.mark.parametrize(("how", "said"), REFUSED)
def test_what_a_file_cannot_do(with_logits: ExportedEngine, how: dict[str, Any], said: str) -> None:
    with flags_shown(), pytest.raises(UsageError, match=said):
        open_engine(with_logits, RunOptions(**how))
    with flags_shown(), pytest.raises(UsageError, match=said):
        Segmenter(with_logits, RunOptions(**how))
    open_engine(with_logits, RunOptions(scales=(1.0, 0.5), engine="torch", precision="fp32"))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"flip": True}, "--flip needs logits"),
        ({"mode": "slide"}, "--mode slide needs logits"),
        ({"long_edge": 64}, "--long-edge needs logits"),
    ],
)
def test_what_labels_do_not_suffice_for(
    labels_only: ExportedEngine, how: dict[str, Any], said: str
) -> None:
    with flags_shown(), pytest.raises(UsageError, match=f"{said}, and .* gives labels alone"):
        Segmenter(labels_only, RunOptions(**how))
    with pytest.raises(UsageError, match="gives nothing of single scales"):
        Segmenter(labels_only, keep_scales=True)
    with pytest.raises(UsageError, match="this needs logits"):
        labels_only.run(make_images(), RunOptions())


def test_a_temperature_that_is_not_the_files_own() -> None:
    engine = ExportedEngine(find_exported("pt2", "confidence"))
    Segmenter(engine, temperature=2.0)
    with pytest.raises(UsageError, match="a temperature of 3 needs logits"):
        Segmenter(engine, temperature=3.0)


def test_an_image_at_the_size_that_weights_ask_for(labels_only: ExportedEngine) -> None:
    header = dataclasses.replace(labels_only.header, extra={"long_edge": 64})
    labels_only.about = dataclasses.replace(labels_only.about, header=header)
    segmenter = Segmenter(labels_only, RunOptions(long_edge="auto"))
    assert segmenter.longest is None
    assert segmenter.segment([as_array(make_images())])[0].labels.shape == SIZE


@pytest.mark.parametrize("output", ["labels", "logits"])
def test_evaluation_counts_what_the_network_says(output: str) -> None:
    dataset = open_dataset("synthetic", split="val")
    dataset.label_space = dataset.label_space
    engine = ExportedEngine(find_exported("pt2", output, None))
    space = dataset.label_space
    if space.num_classes != 4:
        pytest.skip("the made-up streets have other classes")
    found = evaluate(engine, dataset, limit=2)
    assert found.scores.miou == pytest.approx(
        evaluate(make_network(), dataset, limit=2).scores.miou
    )
    assert (found.loss is None) == (output == "labels")
    with pytest.raises(UsageError, match="needs logits"):
        evaluate(engine, dataset, limit=2, watchers=[CalibrationWatcher(space, (1.0,))])
