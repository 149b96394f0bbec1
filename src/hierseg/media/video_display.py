"""How a decoded frame is to be shown: turned, mirrored, and in which shape of pixels."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

SHAPES = (Fraction(1, 16), Fraction(16))
"""Pixels flatter or higher than that are damage."""


def read_pixel_shape(stream: Any) -> Fraction:
    """Width of a pixel by its height as a stream is stored: 1 for a square."""
    shape = stream.sample_aspect_ratio
    return Fraction(shape) if shape and SHAPES[0] <= shape <= SHAPES[1] else Fraction(1)


def make_upright(frame: Any, pixel_shape: Fraction) -> tuple[npt.NDArray[np.uint8], Fraction]:
    """(H, W, 3) uint8 RGB as the file says that it is to be shown, and the shape of its pixels."""
    pixels = frame.to_ndarray(format="rgb24")
    stored = frame.side_data.get("DISPLAYMATRIX")
    if stored is None:
        return pixels, pixel_shape
    matrix = np.frombuffer(stored, np.int32)
    shape = 1 / pixel_shape if lies_on_its_side(matrix) else pixel_shape
    return turn(pixels, matrix), shape


def lies_on_its_side(matrix: npt.NDArray[np.int32]) -> bool:
    """Whether a display matrix makes rows of pixels columns."""
    along, across = np.abs(matrix[[0, 4]].astype(float)), np.abs(matrix[[1, 3]].astype(float))
    return bool(along.sum() < across.sum())


def turn(pixels: npt.NDArray[np.uint8], matrix: npt.NDArray[np.int32]) -> npt.NDArray[np.uint8]:
    """Pixels as a display matrix shows them, to the nearest quarter turn, and mirrored: phones film
    lying on their side, and what looks into a mirror is stored as it was seen.

    Args:
        pixels: (H, W, 3).
        matrix: (9,) FFmpeg's: the pixel at (x, y) is shown at (ax + cy, bx + dy), y downwards; it
            holds a, b, u, c, d, v, x, y, w.
    """
    a, b, c, d = matrix[[0, 1, 3, 4]]
    if lies_on_its_side(matrix):
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    if a < 0:
        pixels = pixels[:, ::-1]
    if d < 0:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
