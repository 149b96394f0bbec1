"""An exported file is weights like any other; what it cannot do is refused by the flag."""

from __future__ import annotations

import dataclasses
from pathlib import Path
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
from hierseg.inference.footprint import Footprint
from hierseg.inference.predictor import Predictor
from hierseg.inference.segmenter import Segmenter
from hierseg.options import RunOptions
from hierseg.size import Size
from hierseg.streets import write_streets
from support.exported import SIZE, SPACE, find_exported, make_images, make_network

OTHER = Size(66, 130)


@pytest.fixture(scope="module")
def labels_only() -> ExportedEngine:
    return ExportedEngine(find_exported("pt2", "labels"))


@pytest.fixture(scope="module")
def with_logits() -> ExportedEngine:
    return ExportedEngine(find_exported("pt2", "logits"))


def as_array(images: torch.Tensor) -> np.ndarray:
    return images[0].permute(1, 2, 0).contiguous().numpy()


def test_weights_of_any_kind_are_run(with_logits: ExportedEngine) -> None:
    engine = load_weights(with_logits.path)
    assert isinstance(engine, ExportedEngine)
    assert engine.header.label_space == SPACE
    assert (engine.num_classes, engine.scales, str(engine.device)) == (19, (0.5, 1.0), "cpu")
    assert (engine.attends, engine.weighs_largest, engine.align_corners) == (True, False, False)
    assert describe_engine(engine) == "torch float32, an exported graph"
    assert engine.fingerprint() == with_logits.fingerprint()
    assert engine.fingerprint() != ExportedEngine(find_exported("pt2", "labels")).fingerprint()
    with pytest.raises(UsageError, match="runs only on the CPU"):
        load_weights(with_logits.path, "cuda")


@pytest.mark.parametrize("how", [{}, {"flip": True}, {"mode": "slide", "window": SIZE}])
def test_predictions_are_those_of_the_network(
    with_logits: ExportedEngine, how: dict[str, Any]
) -> None:
    options = RunOptions(**how)
    image = as_array(make_images(1, OTHER if options.mode == "slide" else SIZE))
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
    with pytest.raises(UsageError, match=r"this needs the confidence, and .* gives labels alone"):
        predictor.require_confidence("this")
    with pytest.raises(UsageError, match="every class's probability needs logits"):
        Predictor(labels_only.path, keep_probabilities=True)
    Predictor(ExportedEngine(find_exported("pt2", "confidence"))).require_confidence("this")


def test_other_sizes_than_the_files_own_are_refused(labels_only: ExportedEngine) -> None:
    with pytest.raises(UserError, match=f"takes only images of {SIZE}, and this is {OTHER}"):
        labels_only.decide(make_images(1, OTHER))
    with pytest.raises(UserError, match=r"takes uint8 images, and these are torch\.float32"):
        labels_only.decide(make_images().float())


REFUSED = [
    ({"scales": (1.0,)}, "--scales 1: .* was exported with scales 0.5 1 only"),
    ({"budget": 0.6}, "--budget needs the network itself"),
    ({"gate": 0.1}, "--gate needs the network itself"),
    ({"fusion": "average"}, "--fusion needs the network itself"),
    ({"engine": "openvino"}, "--engine openvino: .* is run by torch"),
    ({"precision": "bf16"}, "--precision bf16: .* is in float32"),
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
        ({"short_edge": 64}, "--short-edge needs logits"),
    ],
)
def test_what_labels_do_not_suffice_for(
    labels_only: ExportedEngine, how: dict[str, Any], said: str
) -> None:
    with flags_shown(), pytest.raises(UsageError, match=f"{said}, and .* gives labels alone"):
        Segmenter(labels_only, RunOptions(**how))
    with pytest.raises(UsageError, match="has no output for single scales"):
        Segmenter(labels_only, keep_scales=True)
    with pytest.raises(UsageError, match="this needs logits"):
        labels_only.run(make_images(), RunOptions())


def test_a_temperature_that_is_not_the_files_own() -> None:
    engine = ExportedEngine(find_exported("pt2", "confidence"))
    Segmenter(engine, temperature=2.0)
    with pytest.raises(UsageError, match="a temperature of 3 needs logits"):
        Segmenter(engine, temperature=3.0)


def test_an_image_at_the_size_that_weights_ask_for() -> None:
    labels_only = ExportedEngine(find_exported("pt2", "labels"))
    header = dataclasses.replace(labels_only.header, extra={"long_edge": 64})
    labels_only.about = dataclasses.replace(labels_only.about, header=header)
    segmenter = Segmenter(labels_only, RunOptions(long_edge="auto"))
    assert segmenter.longest is None
    assert segmenter.segment([as_array(make_images())])[0].labels.shape == SIZE


@pytest.mark.parametrize("output", ["labels", "logits"])
def test_evaluation_counts_what_the_network_says(output: str, tmp_path: Path) -> None:
    write_streets(tmp_path / "streets", 2, SIZE, 0, 1.0, workers=1)
    dataset = open_dataset("cityscapes", tmp_path / "streets", "val")
    engine = ExportedEngine(find_exported("pt2", output))
    found, expected = (evaluate(one, dataset, limit=2) for one in (engine, make_network()))
    assert expected.scores.miou > 0
    assert found.scores.miou == pytest.approx(expected.scores.miou, abs=1e-4)
    assert (found.loss is None) == (output == "labels")
    calibration = CalibrationWatcher(dataset)
    if output == "logits":
        evaluate(engine, dataset, limit=1, watchers=[calibration])
        return
    with pytest.raises(UsageError, match="needs logits"):
        evaluate(engine, dataset, limit=1, watchers=[calibration])


def test_the_memory_that_images_take_is_measured(labels_only: ExportedEngine) -> None:
    engine = ExportedEngine(labels_only.path)
    least = 8 * engine.num_classes
    assert least <= engine.bytes_per_pixel < 1e5
    engine._resident -= 10**9  # as if it had taken as much
    engine.decide(make_images())
    assert engine.bytes_per_pixel >= 10**9 / SIZE.height / SIZE.width
    image = as_array(make_images())
    assert Footprint(Segmenter(engine)).per_pixel(SIZE) >= 0.999e9 / image[..., 0].size
