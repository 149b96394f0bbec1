"""Patterns that degrade a picture, for training and for the evaluation's corruptions alike."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]


def draw_disk(radius: float) -> Float64Array:
    """(n, n), of sum above 1: what a point becomes by a lens out of focus, its edge a pixel wide.

    ``radius`` is in pixels.
    """
    y, x = _offsets(radius)
    return np.asarray(np.clip(radius + 0.5 - np.hypot(y, x), 0, 1))


def draw_line(length: float, angle: float) -> Float64Array:
    """(n, n), of sum above 1: what a point becomes by a camera that moves while it looks.

    ``length`` is in pixels, ``angle`` in radians from the rows' direction.
    """
    y, x = _offsets(length / 2)
    along = np.abs(x * np.cos(angle) + y * np.sin(angle))
    across = np.abs(y * np.cos(angle) - x * np.sin(angle))
    return np.asarray(np.clip(length / 2 + 0.5 - along, 0, 1) * np.clip(1 - across, 0, 1))


def draw_cloud(
    height: int, width: int, random: np.random.Generator, coarsest: int = 3
) -> Float64Array:
    """(H, W) in [0, 1]: noise of halving sizes, from ``coarsest`` grains to the shorter side on."""
    total = np.zeros((height, width))
    for octave in range(4):
        grains = coarsest * 2**octave
        shorter = min(height, width)
        size = [max(2, round(side / shorter * grains)) for side in (height, width)]
        noise = random.random(size)
        total += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    low, high = total.min(), total.max()
    return np.asarray((total - low) / max(high - low, 1e-9))


def _offsets(reach: float) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """Rows and columns of a square's pixels, seen from its middle."""
    whole = int(np.ceil(reach))
    y, x = np.mgrid[-whole : whole + 1, -whole : whole + 1]
    return y, x
