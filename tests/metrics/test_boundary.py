"""Boundary IoU and the F-score against their definitions, written down pixel by pixel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hierseg.errors import UserError
from hierseg.metrics import contours
from hierseg.metrics.bands import band_width
from hierseg.metrics.boundary import BoundaryCounts

IGNORE = 255
Map = npt.NDArray[np.uint8]


def draw_maps(random: np.random.Generator, classes: int, height: int, width: int) -> list[Map]:
    """Prediction and truth: rectangles on a ground, some of the truth's moved, some ignored."""
    truth = np.zeros((height, width), np.uint8)
    prediction = truth.copy()
    for _ in range(6):
        top, left = random.integers(0, height), random.integers(0, width)
        shift = random.integers(-2, 3, 2)
        label, size = random.integers(0, classes), random.integers(1, 12, 2)
        truth[top : top + size[0], left : left + size[1]] = label
        y, x = max(0, top + shift[0]), max(0, left + shift[1])
        prediction[y : y + size[0], x : x + size[1]] = label
    truth[random.random((height, width)) < 0.02] = IGNORE
    row = int(random.integers(0, height))
    truth[row : row + 2] = IGNORE
    return [prediction, truth]


def slow_band(mask: npt.NDArray[np.bool_], width: int) -> npt.NDArray[np.bool_]:
    """The pixels of a mask within ``width`` rows and columns of a pixel that is not in it."""
    height, length = mask.shape
    band = np.zeros_like(mask)
    for y in range(height):
        for x in range(length):
            for v in range(y - width, y + width + 1):
                for u in range(x - width, x + width + 1):
                    inside = 0 <= v < height and 0 <= u < length
                    if mask[y, x] and not (inside and mask[v, u]):
                        band[y, x] = True
    return band


def slow_border(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Pixels that are not as the one to the right, below, or right below."""
    height, width = mask.shape
    return [
        (y, x)
        for y in range(height)
        for x in range(width)
        if any(
            y + v < height and x + u < width and mask[y, x] != mask[y + v, x + u]
            for v, u in ((0, 1), (1, 0), (1, 1))
        )
    ]


def slow_f_score(prediction: Any, truth: Any, tolerance: int) -> float | None:
    ours, theirs = slow_border(prediction), slow_border(truth)
    if not ours and not theirs:
        return None
    if not ours or not theirs:
        return 0.0

    def share(points: list[tuple[int, int]], others: list[tuple[int, int]]) -> float:
        met = 0
        for y, x in points:
            met += any((y - v) ** 2 + (x - u) ** 2 <= tolerance**2 for v, u in others)
        return met / len(points)

    precision, recall = share(ours, theirs), share(theirs, ours)
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


@settings(deadline=None, max_examples=12)
@given(st.integers(1, 4), st.sampled_from([(16, 21), (9, 30), (24, 8)]), st.integers(0, 2**32 - 1))
def test_equals_direct_implementations(classes: int, size: tuple[int, int], seed: int) -> None:
    random = np.random.default_rng(seed)
    names = tuple("abcd"[:classes])
    counts = BoundaryCounts(classes, IGNORE, share=0.1, tolerances=(1, 3, 5))
    both, either = np.zeros(classes), np.zeros(classes)
    f_scores: dict[tuple[int, str], list[float | None]] = {}
    for _ in range(2):
        prediction, truth = draw_maps(random, classes, *size)
        counts.update(prediction, torch.from_numpy(truth))
        counted = truth != IGNORE
        width = max(1, round(0.1 * math.sqrt(size[0] ** 2 + size[1] ** 2)))
        for train, name in enumerate(names):
            ours, theirs = (prediction == train) & counted, (truth == train) & counted
            our_band, their_band = slow_band(ours, width), slow_band(theirs, width)
            both[train] += (our_band & their_band).sum()
            either[train] += (our_band | their_band).sum()
            for tolerance in (1, 3, 5):
                found = slow_f_score(ours, theirs, tolerance)
                f_scores.setdefault((tolerance, name), []).append(found)
    scores = counts.scores(names)
    expected = [b / e if e else math.nan for b, e in zip(both, either, strict=True)]
    assert list(scores.iou.values()) == pytest.approx(expected, abs=1e-6, nan_ok=True)
    assert scores.mean_iou == pytest.approx(np.nanmean(expected), abs=1e-6)
    assert scores.num_classes_averaged == (either > 0).sum()
    for tolerance in (1, 3, 5):
        means, davis = [], []
        for name in names:
            values = f_scores[tolerance, name]
            known = [value for value in values if value is not None]
            means.append(sum(known) / len(known) if known else math.nan)
            davis.append(sum(1.0 if value is None else value for value in values) / len(values))
        found_means = list(scores.f_score[tolerance].values())
        assert found_means == pytest.approx(means, abs=1e-6, nan_ok=True)
        known = [value for value in means if not math.isnan(value)]
        if known:
            assert scores.mean_f_score[tolerance] == pytest.approx(np.mean(known), abs=1e-6)
        assert scores.mean_f_score_davis[tolerance] == pytest.approx(np.mean(davis), abs=1e-6)


def test_the_width_of_bands() -> None:
    assert band_width(1024, 2048) == 11  # 0.5% of 2289.7
    assert band_width(2048, 1024) == 46  # 2%: not Cityscapes' size
    assert band_width(360, 480) == 12
    assert band_width(8, 8) == 1  # never nothing
    assert band_width(1024, 2048, share=0.02) == 46


def test_default_tolerances_are_those_of_gated_scnn() -> None:
    truth = np.zeros((40, 60), np.uint8)
    truth[:, 30:] = 1
    scores = {}
    for shift in (3, 4, 5, 6, 9, 10, 12, 13):
        counts = BoundaryCounts(2)
        counts.update(np.roll(truth, shift, 1) * (np.arange(60) > 20), truth)
        found = counts.scores(("a", "b")).mean_f_score
        assert list(found) == [3, 5, 9, 12]
        scores[shift] = found
    for tolerance in (3, 5, 9, 12):
        assert scores[tolerance][tolerance] == 1
        assert scores[tolerance + 1][tolerance] == 0


def test_ignored_pixels_are_gone_before_bands_are_made() -> None:
    truth = np.zeros((30, 30), np.uint8)
    truth[:, 15:] = IGNORE
    prediction = truth % IGNORE
    prediction[:, 20:] = 1  # where nothing counts
    counts = BoundaryCounts(2, share=0.05)
    counts.update(prediction, truth)
    scores = counts.scores(("a", "b"))
    assert scores.iou["a"] == 1
    assert math.isnan(scores.iou["b"])
    assert counts.either[0] == 30 * 15 - 26 * 11  # along the ignored half as along the image's edge
    assert scores.f_score[3]["a"] == 1
    assert math.isnan(scores.f_score[3]["b"])


def test_pixels_left_open_are_of_no_class() -> None:
    truth = np.zeros((20, 20), np.uint8)
    prediction = np.full((20, 20), IGNORE, np.uint8)
    prediction[5:15, 5:15] = 0
    counts = BoundaryCounts(1, share=0.04)
    counts.update(prediction, truth)
    assert counts.both[0] == 0  # the band along the image's edge is open, one inside was wrong
    assert counts.either[0] == (400 - 18 * 18) + (100 - 8 * 8)
    assert counts.scores(("a",)).f_score[12]["a"] == 0  # the truth has no border


def test_many_classes_need_more_than_eight_bits() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 300, (12, 12)).astype(np.int32)
    counts = BoundaryCounts(300, ignore=65535)
    counts.update(truth, truth)
    scores = counts.scores([str(number) for number in range(300)])
    assert scores.num_classes_averaged == len(np.unique(truth))
    assert scores.mean_iou == scores.mean_f_score[3] == 1


def test_classes_beyond_a_word_and_strips_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    prediction, truth = draw_maps(np.random.default_rng(4), 3, 40, 30)
    few, many = (BoundaryCounts(count, tolerances=(1, 12)) for count in (3, 38))
    few.update(prediction, truth)
    monkeypatch.setattr(contours, "STRIP", 7)
    # One class stays in the first word of 32 bits, two are in the second.
    table = np.full(256, IGNORE, np.uint8)
    table[:3] = (2, 33, 37)
    many.update(table[prediction], table[truth])
    expected = few.f_sum
    assert 0 < expected[0].sum() < 3
    assert many.f_sum[:, [2, 33, 37]].tolist() == expected.tolist()
    assert many.f_sum.sum() == pytest.approx(expected.sum())
    assert many.both[[2, 33, 37]].tolist() == few.both.tolist()


def test_parts_add_up() -> None:
    random = np.random.default_rng(1)
    images = [draw_maps(random, 3, 20, 20), draw_maps(random, 3, 24, 30)]
    whole, parts = BoundaryCounts(3), [BoundaryCounts(3), BoundaryCounts(3)]
    for part, (prediction, truth) in zip(parts, images, strict=True):
        whole.update(prediction, truth)
        part.update(prediction, truth)
    parts[0].merge(parts[1])
    assert parts[0].scores("abc") == whole.scores("abc")
    assert parts[0].scores("abc").images == 2
    with pytest.raises(ValueError, match="do not add"):
        whole.merge(BoundaryCounts(4))


def test_what_cannot_be_scored_is_refused() -> None:
    counts = BoundaryCounts(3)
    ones = np.ones((8, 8), np.uint8)
    with pytest.raises(UserError, match="8x9"):
        counts.update(np.ones((8, 9), np.uint8), ones)
    with pytest.raises(UserError, match="prediction holds class id 3"):
        counts.update(3 * ones, ones)
    with pytest.raises(UserError, match="label map holds class id 7"):
        counts.update(ones, 7 * ones)
    with pytest.raises(TypeError):
        counts.update(ones.astype(np.float32), ones)
    assert counts.images == 0
    assert math.isnan(counts.scores("abc").mean_iou)
