"""Textures that repeat: asphalt, paving, grass, brick, plaster, leaves, clouds.

Each is a constant, made once from a fixed seed: (TILE, TILE) uint8, 128 where a surface has just
its own colour; neighbouring copies join without a seam. A scene varies offset, size and contrast.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.streets.canvas import Pixels

TILE = 512
"""Height and width of a texture in pixels."""

TILE_METRES = 8.0
"""What a texture measures when it is laid out in its natural size."""

Field = npt.NDArray[np.float64]


def _fractal(seed: int, slope: float, coarsest: float = 1.0) -> Field:
    """Seamless noise (TILE, TILE), mean 0 and deviation 1.

    Args:
        seed: Which one.
        slope: How fast fine detail fades: the amplitude falls with frequency to this power.
        coarsest: Waves a tile below which there is nothing.
    """
    spectrum = np.fft.rfft2(np.random.default_rng(seed).standard_normal((TILE, TILE)))
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None]) * TILE
    spectrum *= np.maximum(frequency, coarsest) ** -slope
    spectrum[frequency < coarsest] = 0
    field: Field = np.fft.irfft2(spectrum, s=(TILE, TILE))
    result: Field = (field - field.mean()) / field.std()
    return result


def _finish(field: Field) -> Pixels:
    """A field around 0, where 1 is a doubled brightness, as a texture that nobody may change."""
    texture: Pixels = np.clip(128 * (1 + field), 0, 255).astype(np.uint8)
    texture.flags.writeable = False
    return texture


def _stones(rows: int, columns: int, joint: int, stagger: bool, seed: int) -> tuple[Field, Field]:
    """Stones in rows: brightness of each (-1..1), and 1 on joints; both (TILE, TILE)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:TILE, 0:TILE]
    row = y * rows // TILE
    shift = (row % 2) * (TILE // columns // 2) if stagger else 0
    moved = (x + shift) % TILE
    column = moved * columns // TILE
    brightness = rng.uniform(-1, 1, (rows, columns))[row, column]
    joints = (y % (TILE / rows) < joint) | (moved % (TILE / columns) < joint)
    return brightness, joints.astype(float)


@cache
def asphalt() -> Pixels:
    """Grain, worn patches and a few mended cracks."""
    grain = 0.055 * _fractal(1, 0.2, 40) + 0.05 * _fractal(2, 1.6)
    cracks = np.abs(_fractal(3, 1.7)) < 0.012
    return _finish(grain - 0.16 * cv2.GaussianBlur(cracks.astype(float), (0, 0), 0.8))


@cache
def paving() -> Pixels:
    """Square slabs of half a metre."""
    brightness, joints = _stones(16, 16, 2, True, 4)
    return _finish(0.07 * brightness - 0.26 * joints + 0.04 * _fractal(5, 0.8))


@cache
def cobbles() -> Pixels:
    """Small stones."""
    brightness, joints = _stones(48, 40, 2, True, 6)
    return _finish(0.14 * brightness - 0.3 * joints + 0.05 * _fractal(7, 1.2))


@cache
def grass() -> Pixels:
    """Blades, tufts and bare spots."""
    return _finish(0.11 * _fractal(8, 0.3, 30) + 0.1 * _fractal(9, 1.1) - 0.03)


@cache
def brick() -> Pixels:
    """Courses of 8 cm, bricks of 25 cm."""
    brightness, joints = _stones(96, 32, 1, True, 10)
    return _finish(0.12 * brightness + 0.2 * joints + 0.05 * _fractal(11, 1.4))


@cache
def blocks() -> Pixels:
    """Ashlar or concrete blocks, 40 by 80 cm."""
    brightness, joints = _stones(20, 10, 2, True, 12)
    return _finish(0.07 * brightness - 0.2 * joints + 0.05 * _fractal(13, 1.2))


@cache
def plaster() -> Pixels:
    """A smooth wall with stains."""
    return _finish(0.035 * _fractal(14, 1.5) + 0.02 * _fractal(15, 0.3, 30))


@cache
def planks() -> Pixels:
    """Boards of 20 cm, upright."""
    brightness, _ = _stones(1, 40, 0, False, 16)
    x = np.arange(TILE)[None] % (TILE / 40)
    grain = cv2.resize(_fractal(17, 0.8)[::8], (TILE, TILE))
    return _finish(0.1 * brightness - 0.35 * (x < 1.5) + 0.05 * grain)


@cache
def leaves() -> Pixels:
    """Clumps of leaves with dark hollows between."""
    clumps = _fractal(18, 0.9, 14)
    fine = _fractal(19, 0.35, 60)
    return _finish(0.17 * clumps + 0.13 * fine - 0.1 * (clumps < -0.7))


@cache
def clouds() -> Pixels:
    """Billows; 128 is their median density."""
    return _finish(0.38 * _fractal(20, 1.75))


def sample(
    texture: Pixels,
    scale: tuple[float, float],
    offset: tuple[float, float],
    size: tuple[int, int],
) -> Pixels:
    """A piece (height, width) of a repeating texture.

    Args:
        texture: (TILE, TILE).
        scale: Pixels of the result a metre, across and down.
        offset: (x, y) in texture pixels of the result's corner.
        size: (height, width) of the result.
    """
    x, y = (TILE / TILE_METRES / s for s in scale)
    matrix = np.array([[x, 0, offset[0]], [0, y, offset[1]]])
    flags = cv2.WARP_INVERSE_MAP | (cv2.INTER_LINEAR if min(x, y) < 1.4 else cv2.INTER_NEAREST)
    piece: Any = cv2.warpAffine(
        texture, matrix, (size[1], size[0]), flags=flags, borderMode=cv2.BORDER_WRAP
    )
    return np.asarray(piece, np.uint8)


def colored(grain: Pixels, color: Any, strength: float = 1.0) -> Pixels:
    """A surface (h, w, 3) of one colour whose brightness a texture (h, w) varies."""
    factors = 1 + (np.arange(256) / 128 - 1) * strength
    table = np.clip(np.outer(factors, color), 0, 255).astype(np.uint8)[:, None]
    return np.asarray(cv2.applyColorMap(grain, table), np.uint8)
