from __future__ import annotations

import numpy as np

from hierseg.flow import PASSES, check_flow, measure_difference

SHAPE = (6, 8)


def _still() -> np.ndarray:
    return np.zeros((*SHAPE, 2), np.float32)


def _grey(value: int) -> np.ndarray:
    return np.full((*SHAPE, 3), value, np.uint8)


def test_a_way_that_leads_home_between_equal_colors_is_certain() -> None:
    assert check_flow(_grey(9), _grey(9), _still(), _still()).tolist() == np.ones(SHAPE).tolist()


def test_half_is_where_one_of_both_is_at_its_limit() -> None:
    by_color = check_flow(_grey(100), _grey(120), _still(), _still())
    assert np.allclose(by_color, PASSES)
    assert np.allclose(check_flow(_grey(100), _grey(140), _still()), 0.25)
    back = _still()
    back[..., 0] = 1.0  # 1 / (0.01 * 1 + 0.5) of the limit from home
    confidence = check_flow(_grey(9), _grey(9), _still(), back)
    assert np.allclose(confidence, 2 ** (-1 / 0.51))
    assert confidence.max() < PASSES


def test_the_way_back_is_read_where_the_flow_points() -> None:
    flow, back = _still(), _still()
    flow[:, :4, 0] = 4  # the left half comes from the right half
    back[:, 4:, 0] = -4
    confidence = check_flow(_grey(9), _grey(9), flow, back)
    assert (confidence[:, :4] == 1).all()
    assert (confidence[:, 4:] < PASSES).all()  # stays, but what was there went to the left


def test_what_leaves_the_picture_or_is_not_known_is_worth_nothing() -> None:
    flow = _still()
    flow[0, 0] = np.nan
    flow[:, -1, 0] = 3
    back = _still()
    back[2, 2] = np.nan
    confidence = check_flow(_grey(9), _grey(9), flow, back)
    assert confidence[0, 0] == 0
    assert (confidence[:, -1] == 0).all()
    assert confidence.dtype == np.float32
    assert np.isfinite(confidence).all()


def test_the_difference_of_colors_is_a_mean_over_a_window() -> None:
    target = _grey(0)
    target[3, 3] = 90
    error = measure_difference(_grey(0), target, _still())
    assert np.allclose(error[2:5, 2:5], 10)
    assert error.sum() == np.float32(90)
