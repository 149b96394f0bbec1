from __future__ import annotations

import math

import numpy as np
import pytest

from hierseg.metrics import FrameScores, average_scores, score_frame


def _noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (32, 40, 3), np.uint8)


def test_equal_frames_score_best() -> None:
    assert score_frame(_noise(0), _noise(0)) == FrameScores(100.0, pytest.approx(1.0), 0.0)


def test_a_shift_of_brightness_has_known_figures() -> None:
    real = np.full((32, 40, 3), 100, np.uint8)
    scores = score_frame(real + 10, real)
    assert scores.psnr == pytest.approx(20 * math.log10(25.5))
    assert scores.error == pytest.approx(math.sqrt(300))
    steady = (0.01 * 255) ** 2
    light = (2 * 100 * 110 + steady) / (100**2 + 110**2 + steady)
    assert scores.ssim == pytest.approx(light)


def test_ssim_is_that_of_its_definition_at_a_pixel() -> None:
    """One window of 11x11, so that one pixel counts: weighted moments, by hand."""
    random = np.random.default_rng(1)
    first, second = (random.integers(0, 256, (11, 11, 3)).astype(np.uint8) for _ in range(2))
    line = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    weights = np.outer(line, line)[..., None]
    weights /= weights.sum()
    x, y = first.astype(float), second.astype(float)
    mx, my = (weights * x).sum((0, 1)), (weights * y).sum((0, 1))
    vx, vy = (weights * (x - mx) ** 2).sum((0, 1)), (weights * (y - my) ** 2).sum((0, 1))
    both = (weights * (x - mx) * (y - my)).sum((0, 1))
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = (2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    assert score_frame(first, second).ssim == pytest.approx(expected.mean(), abs=1e-6)


def test_means_are_of_each_figure() -> None:
    scores = [FrameScores(20.0, 0.5, 4.0), FrameScores(30.0, 1.0, 2.0)]
    assert average_scores(scores) == FrameScores(25.0, 0.75, 3.0)
    assert math.isnan(average_scores([]).psnr)
