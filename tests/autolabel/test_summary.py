from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hierseg.autolabel.counting import count_labels, quantise
from hierseg.autolabel.picture import BAR, HEAD, NAME_WIDTH, ROW, draw_summary
from hierseg.autolabel.summary import AutoSummary, format_summary, summarise
from hierseg.data.pseudo_labels.records import AutoHeader, AutoRecord, AutoRecords
from hierseg.labels import LabelSpace

SPACE = LabelSpace(
    "two", ("road", "sky", "none"), ((128, 64, 128), (70, 130, 180), (9, 9, 9)), (5, 6, 7)
)
HEADER = AutoHeader("mine", "dash", "/x", SPACE, {}, 0.5)


def make_record(labels: list[int], confidence: list[int]) -> AutoRecord:
    arrays = (np.array([values], np.uint8) for values in (labels, confidence))
    classes, histogram = count_labels(*arrays, HEADER)
    return AutoRecord("a", "a.png", "a", "a_prob", 0, 0, 1, 4, classes, histogram)


@pytest.fixture
def summary() -> AutoSummary:
    first = make_record([0, 0, 0, 1], [255, 128, 127, 0])
    second = make_record([1, 1, 0, 0], [255, 200, 16, 15])
    return summarise(AutoRecords(Path("x"), HEADER, {"a": first, "b": second}))


def test_confidence_is_rounded_to_the_nearest_of_256() -> None:
    values = np.array([[0.5, 1.0, 0.0, 0.498, 0.9981, 0.9979]], np.float32)
    assert quantise(values).tolist() == [[128, 255, 0, 127, 255, 254]]


def test_shares_before_and_after_the_threshold(summary: AutoSummary) -> None:
    road, sky, none = summary.classes
    assert (road.pixels, road.share, road.kept_share, road.kept) == (5, 5 / 8, 2 / 4, 2 / 5)
    assert (sky.pixels, sky.share, sky.kept_share, sky.kept) == (3, 3 / 8, 2 / 4, 2 / 3)
    assert (none.share, none.kept, none.confidence) == (0, None, None)
    assert road.confidence == pytest.approx((255 + 128 + 127 + 16 + 15) / 5 / 255)
    assert summary.kept == 4 / 8
    assert summary.confidence == pytest.approx((541 + 455) / 8 / 255)
    assert [round(8 * share) for share in summary.histogram] == [
        2, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 2,
    ]  # fmt: skip


def test_a_confidence_at_the_threshold_is_kept_as_the_loader_keeps_it() -> None:
    header = AutoHeader("mine", "dash", "/x", SPACE, {}, 0.2)  # 51 of 255
    values = np.array([[50, 51, 52]], np.uint8)
    classes, _ = count_labels(np.zeros((1, 3), np.uint8), values, header)
    assert classes == {"0": (3, 153, 2)}


def test_the_table_and_the_json_say_so(summary: AutoSummary) -> None:
    lines = format_summary(summary).splitlines()
    assert lines[0] == "mine dash: 2 images labelled"
    assert lines[2].split() == ["class", "share", "share", "from", "0.5", "kept", "confidence"]
    assert lines[3].split() == ["road", "62.50", "50.00", "40.00", "42.43"]
    assert lines[5].split() == ["none", "0.00", "0.00", "-", "-"]
    content = summary.to_json()
    assert content["classes"]["sky"]["share_after_threshold"] == 0.5
    assert (content["images"], content["threshold"], content["kept"]) == (2, 0.5, 0.5)


def test_the_bars_are_as_long_as_the_shares(summary: AutoSummary) -> None:
    picture = draw_summary(summary)
    for row, entry in enumerate(summary.classes[:2]):
        line = picture[HEAD + ROW * row + 8, NAME_WIDTH : NAME_WIDTH + BAR + 1]
        colored = int((line == SPACE.colors[row]).all(1).sum())
        assert colored == pytest.approx(BAR * entry.share / (5 / 8), abs=3)


def test_of_no_images_all_is_zero() -> None:
    empty = summarise(AutoRecords(Path("x"), HEADER))
    assert (empty.images, empty.kept, empty.classes[0].share) == (0, 0, 0)
    assert draw_summary(empty).ndim == 3
    assert "0 images" in format_summary(empty)
