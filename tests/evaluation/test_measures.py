"""Boundaries and calibration over a split: what watches, and what is said of it."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch

from hierseg.data.base import Record
from hierseg.errors import UserError
from hierseg.evaluation.boundaries import BoundaryWatcher, boundaries_to_json, format_boundaries
from hierseg.evaluation.calibration import (
    CalibrationWatcher,
    LogitSample,
    calibration_to_json,
    format_calibration,
)
from hierseg.evaluation.evaluator import evaluate
from hierseg.evaluation.reliability import draw_reliability
from hierseg.metrics.boundary import BoundaryCounts
from hierseg.metrics.calibration import CalibrationCounts

from .conftest import SPACE, MemoryDataset


def test_borders_are_counted_as_images_are_scored(network: Any, maps: list[Any]) -> None:
    dataset = MemoryDataset(maps)
    watcher = BoundaryWatcher(dataset)
    evaluate(network, dataset, watchers=[watcher])
    counts = BoundaryCounts(SPACE.num_classes)
    for labels in maps:
        counts.update(np.where(labels == 255, 0, labels), labels)
    scores = watcher.scores()
    assert json.dumps(boundaries_to_json(scores)) == json.dumps(
        boundaries_to_json(counts.scores(SPACE.names))
    )
    assert scores.images == 3
    assert scores.mean_iou == 1
    content = boundaries_to_json(scores)
    assert content["mean_boundary_iou"] == 1
    assert content["boundary_iou"] == {"spades": 1, "hearts": 1, "clubs": 1, "jokers": None}
    assert content["f_score"]["9"]["hearts"] == 1
    assert content["mean_f_score_davis"]["12"] == 1
    assert content["band_widths"] == [1, 2]
    table = format_boundaries(scores)
    assert "in bands of 1 or 2 pixels" in table
    assert "\nhearts        100.00   100.00   100.00   100.00   100.00" in table
    assert "\njokers             -        -" in table
    assert "mean Boundary IoU 100.00 over 3 classes" in table


def test_confidence_is_counted_at_both_temperatures(network: Any, maps: list[Any]) -> None:
    dataset = MemoryDataset(maps)
    watcher = CalibrationWatcher(dataset, 0.25)
    evaluate(network, dataset, watchers=[watcher])
    plain, cooled = watcher.scores()
    sure = [math.exp(1 / t) / (math.exp(1 / t) + 3) for t in (1, 0.25)]
    for scores, confidence in zip((plain, cooled), sure, strict=True):
        assert scores.pixels == sum(int((labels != 255).sum()) for labels in maps)
        assert scores.accuracy == 1
        assert scores.confidence == pytest.approx(confidence, abs=1e-6)
        assert scores.ece == pytest.approx(1 - confidence, abs=1e-6)
        assert scores.nll == pytest.approx(-math.log(confidence), abs=1e-5)
    content = calibration_to_json(cooled)
    assert content["temperature"] == 0.25
    assert sum(one["pixels"] for one in content["bins"]) == cooled.pixels
    assert content["bins"][0]["accuracy"] is None
    json.dumps(content, allow_nan=False)
    said = format_calibration([plain, cooled])
    assert f"temperature 0.25: ECE {100 * cooled.ece:.2f} %" in said
    assert len(CalibrationWatcher(dataset).scores()) == 1


def look(sample: LogitSample, name: str, logits: torch.Tensor, labels: Any) -> None:
    height, width = labels.shape
    record = Record(np.zeros((height, width, 3), np.uint8), labels, name)
    sample.look(0, record, labels)
    sample.look_at_logits(0, record, logits)


def test_a_sample_depends_on_names_and_seed_alone() -> None:
    dataset = MemoryDataset([])
    random = np.random.default_rng(0)
    images = {}
    for name in "ab":
        labels = random.integers(0, 4, (9, 11)).astype(np.uint8)
        labels[:2] = 255
        logits = random.normal(0, 3, (4, 9, 11)) + 2 * (np.arange(4)[:, None, None] == labels)
        images[name] = (torch.from_numpy(logits).float(), labels)

    def sampled(order: str, seed: int, pixels: int = 20) -> LogitSample:
        sample = LogitSample(dataset, pixels, seed)
        for name in order:
            look(sample, name, *images[name])
        return sample

    fits = [sampled(order, seed).fit() for order, seed in (("ab", 1), ("ba", 1), ("ab", 2))]
    assert fits[0].temperature == pytest.approx(fits[1].temperature, rel=1e-6)
    assert fits[0].temperature != pytest.approx(fits[2].temperature, rel=1e-4)
    assert fits[0].before.pixels == 40
    named = []
    for name in ("a", "b"):  # one image under two names
        sample = LogitSample(dataset, 20, 1)
        look(sample, name, *images["a"])
        named.append(sample.fit().temperature)
    assert named[0] != pytest.approx(named[1], rel=1e-4)
    whole = sampled("ab", 0, 1000).fit()
    assert whole.before.pixels == 2 * 7 * 11  # those that count, all of them
    expected = CalibrationCounts()
    for logits, labels in images.values():
        expected.update(logits, torch.from_numpy(labels))
    assert whole.before.nll == pytest.approx(expected.scores().nll, rel=1e-5)
    assert whole.after.nll < whole.before.nll
    assert whole.after.accuracy == whole.before.accuracy
    assert whole.after.temperature == whole.temperature


def test_nothing_labelled_is_nothing_to_fit_on() -> None:
    sample = LogitSample(MemoryDataset([]), 10)
    look(sample, "a", torch.zeros(4, 3, 3), np.full((3, 3), 255, np.uint8))
    with pytest.raises(UserError, match="no pixel of these images has a label"):
        sample.fit()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_outputs_that_are_no_numbers_fit_nothing(value: float) -> None:
    sample = LogitSample(MemoryDataset([]), 10)
    logits = torch.zeros(4, 3, 3)
    logits[1, 1, 1] = value
    look(sample, "a", logits, np.zeros((3, 3), np.uint8))
    with pytest.raises(UserError, match="NaN or infinite"):
        sample.fit()


def test_nothing_counted_is_nothing_to_say() -> None:
    assert format_calibration([CalibrationCounts().scores()]).endswith(
        "0 pixels, 15 bins: no pixel counts"
    )


def test_the_picture_of_reliability_has_gaps_in_two_colours() -> None:
    counts = CalibrationCounts()
    logits = torch.zeros(2, 30)
    logits[0, :20] = 4  # sure, and right in half of them
    logits[0, 20:] = 0.5  # unsure, and always right
    labels = torch.zeros(30, dtype=torch.long)
    labels[:10] = 1
    counts.update(logits, labels)
    one = draw_reliability([counts.scores()], "x")
    two = draw_reliability([counts.scores(), counts.scores()], "x")
    assert one.shape[0] == two.shape[0]
    assert one.shape[1] < two.shape[1]
    left, right = one[98:438, 74:244], one[98:438, 244:414]
    # Too sure (98% for 50%) at the right end, not sure enough (62% for 100%) in its first third.
    reds, greens = ((right == color).all(2).sum() for color in ((224, 140, 130), (150, 200, 160)))
    assert reds == pytest.approx(340 / 15 * 0.48 * 340, rel=0.1)
    assert greens == pytest.approx(340 / 15 * 0.37 * 340, rel=0.1)
    assert not (left == (70, 110, 170)).all(2).any()
    # The curve: 20 sure ones, half of them wrong, up to all 30, a third of them wrong.
    curve = (one[99:437, 489:827] == (70, 110, 170)).all(2)
    rows, columns = curve.nonzero()
    assert columns.min() == pytest.approx(340 * 20 / 30, abs=4)
    # Of a panel of 50 %: 50 % are wrong at the left end, a third at the right one.
    assert (rows[columns < 235].mean(), rows[columns > 335].mean()) == pytest.approx(
        (0, 340 / 3), abs=8
    )


def test_what_a_threshold_of_confidence_leaves_is_said() -> None:
    counts = CalibrationCounts()
    logits = torch.zeros(2, 30)
    logits[0, :20] = 4  # 98 % sure
    logits[0, 20:] = 0.5  # 62 % sure
    labels = torch.zeros(30, dtype=torch.long)
    labels[:2], labels[20:26] = 1, 1
    counts.update(logits, labels)
    said = format_calibration([counts.scores()])
    assert (
        "0.7: 66.67 % of the pixels keep a class, 90.00 % of these are right, 75.0 % of the wrong "
        "pixels gone" in said
    )
    points = calibration_to_json(counts.scores())["coverage"]
    assert [points[t]["coverage"] for t in (0, 62, 70, 100)] == pytest.approx([1, 1, 2 / 3, 0])
    assert points[100]["accuracy"] is None
