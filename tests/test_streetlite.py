"""The model in the box: its file, its card, and what it is worth on real streets."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from hierseg.checkpoint.finding import find_weights
from hierseg.checkpoint.format import read_header
from hierseg.checkpoint.load import load_model
from hierseg.data.base import SegmentationDataset
from hierseg.data.catalog import open_dataset
from hierseg.evaluation.evaluator import evaluate
from hierseg.inference.predictor import Predictor
from hierseg.labels import CAMVID, CITYSCAPES
from hierseg.size import Size
from hierseg.streets.rendering import draw_street

CARD = (Path(__file__).resolve().parents[1] / "docs" / "streetlite.md").read_text(encoding="utf-8")
# What drawn things are in CamVid's classes, for those that both have.
SAME = {
    "road": "road",
    "sidewalk": "pavement",
    "building": "building",
    "vegetation": "tree",
    "sky": "sky",
    "car": "car",
}


def test_it_is_the_default_and_small() -> None:
    assert find_weights() == find_weights("streetlite")
    assert find_weights().stat().st_size < 14e6
    network = load_model()
    assert sum(tensor.numel() for tensor in network.parameters()) < 6e6
    assert network.scales == (0.5, 1.0, 2.0)
    header = read_header(find_weights())
    assert header.label_space.names == CAMVID.names
    assert header.label_space.colors == CAMVID.colors
    assert header.temperature != 1
    assert header.long_edge == 640  # CamVid's frames, of 480, are run as they are
    assert header.record["recipe"].startswith("streetlite")


def test_its_card_has_the_figure_and_the_temperature_of_the_file() -> None:
    header = read_header(find_weights())
    assert f"**{100 * header.record['miou']:.2f}**" in CARD
    assert f"temperature {header.temperature:.3f}" in CARD
    assert "@@" not in CARD


def test_the_edition_of_all_labels_is_the_same_network_and_claims_no_figure() -> None:
    one, every = (read_header(find_weights(name)) for name in ("streetlite", "streetlite-all"))
    assert find_weights("streetlite-all").stat().st_size < 14e6
    assert (every.builder, every.arguments, every.scales) == (
        one.builder,
        one.arguments,
        one.scales,
    )
    assert every.label_space == one.label_space
    assert every.long_edge == one.long_edge
    assert every.temperature == pytest.approx(one.temperature, abs=1e-3)
    assert not {"miou", "pixel_accuracy"} & set(every.record)
    assert "`streetlite-all`" in CARD


def test_its_card_has_its_classes_and_colours() -> None:
    for index, (name, color) in enumerate(zip(CAMVID.names, CAMVID.colors, strict=True)):
        row = rf"\| {index} \| {name} \| {' '.join(map(str, color))} \|"
        assert re.search(row, CARD), name


def test_drawn_streets_are_streets_to_it() -> None:
    """Nothing real is at hand everywhere; a scene is as a child would draw a street."""
    predictor = Predictor(load_model())
    right = counted = 0
    for seed in range(3):
        image, raw_ids = draw_street(seed, Size(192, 384))
        truth, found = CITYSCAPES.encode(raw_ids), predictor(image).labels
        for drawn, name in SAME.items():
            mask = truth == CITYSCAPES.names.index(drawn)
            counted += int(mask.sum())
            right += int((found[mask] == CAMVID.names.index(name)).sum())
    assert right / counted > 0.85


def _frames(camvid: Path, every: int) -> SegmentationDataset:
    dataset = open_dataset("camvid", camvid, "val")
    dataset.samples = dataset.samples[::every]
    return dataset


def test_real_streets(camvid_dir: Path) -> None:
    scores = evaluate(load_model(), _frames(camvid_dir, 10)).scores
    assert scores.pixel_accuracy > 0.93
    assert scores.miou > 0.72
    assert np.isfinite(list(scores.iou.values())).all()


@pytest.mark.slow
def test_its_figure_on_val(camvid_dir: Path) -> None:
    scores = evaluate(load_model(), _frames(camvid_dir, 1)).scores
    assert scores.miou >= 0.75
    assert scores.miou == pytest.approx(read_header(find_weights()).record["miou"], abs=1e-3)
