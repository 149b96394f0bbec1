"""How near a made frame comes to the real one: PSNR, SSIM, interpolation error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

MOST_PSNR = 100.0
"""Decibels that two equal frames count as."""
_WINDOW, _SIGMA = 11, 1.5
"""Of SSIM (Wang et al., 2004)."""
_STEADY = ((0.01 * 255) ** 2, (0.03 * 255) ** 2)


@dataclass(frozen=True)
class FrameScores:
    """Figures of a made frame, or their means over many.

    Attributes:
        psnr: Peak signal-to-noise ratio in decibels; higher is better.
        ssim: Structural similarity, at most 1; higher is better.
        error: Interpolation error: the mean distance of colours, in grey values; lower is better.
    """

    psnr: float
    ssim: float
    error: float


def score_frame(made: npt.NDArray[np.uint8], real: npt.NDArray[np.uint8]) -> FrameScores:
    """Compare two frames, (H, W, 3) uint8 each.

    SSIM has the window of its paper, a Gaussian of 11 pixels and deviation 1.5, and is the mean
    over the colours, without the 5 pixels at the borders that the window does not fit in.
    """
    difference = made.astype(np.float32) - real
    squares = difference**2
    mean = float(squares.mean())
    psnr = MOST_PSNR if mean == 0 else min(MOST_PSNR, 10 * math.log10(255**2 / mean))
    return FrameScores(psnr, _measure_ssim(made, real), float(np.sqrt(squares.sum(2)).mean()))


def average_scores(scores: list[FrameScores]) -> FrameScores:
    """The mean of each figure; NaN of none."""
    if not scores:
        return FrameScores(math.nan, math.nan, math.nan)
    figures = np.array([(one.psnr, one.ssim, one.error) for one in scores]).mean(0)
    return FrameScores(*map(float, figures))


def _measure_ssim(made: npt.NDArray[np.uint8], real: npt.NDArray[np.uint8]) -> float:
    first, second = made.astype(np.float64), real.astype(np.float64)
    mean1, mean2 = _blur(first), _blur(second)
    variance1 = _blur(first**2) - mean1**2
    variance2 = _blur(second**2) - mean2**2
    together = _blur(first * second) - mean1 * mean2
    light = (2 * mean1 * mean2 + _STEADY[0]) / (mean1**2 + mean2**2 + _STEADY[0])
    structure = (2 * together + _STEADY[1]) / (variance1 + variance2 + _STEADY[1])
    edge = _WINDOW // 2
    return float((light * structure)[edge:-edge, edge:-edge].mean())


def _blur(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    blurred = cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SIGMA)
    return np.asarray(blurred, np.float64)
