from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hierseg.errors import UserError
from hierseg.metrics.confusion import ConfusionMatrix

NAMES = ("road", "sky", "car")


def matrix_of(counts: list[list[int]]) -> ConfusionMatrix:
    confusion = ConfusionMatrix(len(counts))
    confusion.matrix += torch.tensor(counts)
    return confusion


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 6), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_equals_a_loop_over_pixels(classes: int, pixels: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes + 1, (2, pixels)).astype(np.uint8)
    labels[labels == classes] = 255
    prediction = random.integers(0, classes, (2, pixels)).astype(np.uint8)
    confusion = ConfusionMatrix(classes)
    expected = np.zeros((classes, classes), np.int64)
    for _ in range(2):
        confusion.update(torch.from_numpy(prediction), labels)
        for truth, predicted in zip(labels.flat, prediction.flat, strict=True):
            if truth != 255:
                expected[truth, predicted] += 1
    assert confusion.matrix.dtype == torch.int64
    assert np.array_equal(confusion.matrix.numpy(), expected)


def test_rows_are_truth_whatever_the_integer_type() -> None:
    for dtype in (torch.uint8, torch.int32, torch.int64):
        confusion = ConfusionMatrix(20)
        confusion.update(torch.full((1, 3), 19, dtype=dtype), torch.full((1, 3), 18, dtype=dtype))
        assert confusion.matrix[18, 19] == 3
        assert confusion.matrix.sum() == 3


def test_counts_beyond_32_bits() -> None:
    confusion = matrix_of([[2**40, 0], [0, 1]])
    confusion.update(torch.zeros(1, 1, dtype=torch.uint8), torch.zeros(1, 1, dtype=torch.uint8))
    assert confusion.matrix[0, 0] == 2**40 + 1
    assert confusion.scores(("a", "b")).miou == 1
    # One wrong pixel in two thousand million is not rounded away.
    assert 0 < 1 - matrix_of([[2**30, 1], [0, 2**30]]).scores(("a", "b")).miou < 1e-9


def test_scores_by_hand() -> None:
    # road: TP 6, FN 2, FP 1; sky: TP 3, FN 0, FP 2; car: TP 1, FN 1, FP 0
    scores = matrix_of([[6, 2, 0], [0, 3, 0], [1, 0, 1]]).scores(NAMES)
    assert scores.iou == pytest.approx({"road": 6 / 9, "sky": 3 / 5, "car": 1 / 2})
    assert scores.precision == pytest.approx({"road": 6 / 7, "sky": 3 / 5, "car": 1})
    assert scores.recall == pytest.approx({"road": 6 / 8, "sky": 1, "car": 1 / 2})
    assert scores.miou == pytest.approx((6 / 9 + 3 / 5 + 1 / 2) / 3)
    assert scores.num_classes_averaged == 3
    assert scores.pixel_accuracy == pytest.approx(10 / 13)
    assert scores.mean_class_accuracy == pytest.approx((6 / 8 + 1 + 1 / 2) / 3)
    assert scores.frequency_weighted_iou == pytest.approx((8 * 6 / 9 + 3 * 3 / 5 + 2 / 2) / 13)


def test_a_class_that_never_occurs_is_not_averaged() -> None:
    scores = matrix_of([[3, 1, 0], [0, 2, 0], [0, 0, 0]]).scores(NAMES)
    assert scores.num_classes_averaged == 2
    assert scores.miou == pytest.approx((3 / 4 + 2 / 3) / 2)
    assert math.isnan(scores.iou["car"])
    assert math.isnan(scores.precision["car"])
    assert math.isnan(scores.recall["car"])
    assert scores.mean_class_accuracy == pytest.approx((3 / 4 + 1) / 2)
    assert scores.frequency_weighted_iou == pytest.approx((4 * 3 / 4 + 2 * 2 / 3) / 6)


def test_a_class_only_predicted_counts_with_zero() -> None:
    scores = matrix_of([[3, 1, 0], [0, 2, 1], [0, 0, 0]]).scores(NAMES)
    assert scores.num_classes_averaged == 3
    assert scores.iou["car"] == 0
    assert math.isnan(scores.recall["car"])
    assert scores.mean_class_accuracy == pytest.approx((3 / 4 + 2 / 3) / 2)


def test_nothing_counted_averages_no_class() -> None:
    confusion = ConfusionMatrix(3)
    confusion.update(np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8))
    scores = confusion.scores(NAMES)
    assert scores.num_classes_averaged == 0
    assert math.isnan(scores.miou)
    assert math.isnan(scores.pixel_accuracy)


def test_a_prediction_outside_the_classes_is_an_error_that_names_it() -> None:
    confusion = ConfusionMatrix(3)
    labels = np.array([[0, 255]], np.uint8)
    with pytest.raises(UserError, match=r"prediction holds class id 3\b.* 0 to 2"):
        confusion.update(np.array([[3, 0]], np.uint8), labels)
    with pytest.raises(UserError, match=r"prediction holds class id -1\b"):
        confusion.update(np.array([[-1, 0]], np.int64), labels)
    assert confusion.matrix.sum() == 0
    confusion.update(
        np.array([[1, 200]], np.uint8), labels
    )  # where nothing counts, nothing is wrong
    assert confusion.matrix[0, 1] == 1


def test_a_label_outside_the_classes_is_an_error_that_names_it() -> None:
    with pytest.raises(UserError, match=r"label map holds class id 7\b"):
        ConfusionMatrix(3).update(np.zeros((1, 2), np.uint8), np.array([[0, 7]], np.uint8))


def test_ignore_is_a_choice() -> None:
    confusion = ConfusionMatrix(3, ignore=65)
    confusion.update(np.zeros((1, 2), np.uint8), np.array([[0, 65]], np.uint8))
    assert confusion.matrix.sum() == 1


def test_other_shapes_are_an_error_that_names_both() -> None:
    with pytest.raises(UserError, match=r"2x3 .*3x2"):
        ConfusionMatrix(3).update(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))


def test_probabilities_are_refused() -> None:
    with pytest.raises(TypeError, match="integer ids"):
        ConfusionMatrix(3).update(torch.rand(2, 2), torch.zeros(2, 2, dtype=torch.uint8))


def test_merge_adds_counts() -> None:
    confusion = matrix_of([[1, 2], [3, 4]])
    confusion.merge(matrix_of([[10, 0], [0, 10]]))
    assert confusion.matrix.tolist() == [[11, 2], [3, 14]]
    with pytest.raises(ValueError, match="classes"):
        confusion.merge(ConfusionMatrix(3))


def test_names_must_fit() -> None:
    with pytest.raises(ValueError, match="names"):
        ConfusionMatrix(3).scores(("a", "b"))
