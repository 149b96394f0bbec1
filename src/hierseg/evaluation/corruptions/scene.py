"""Corruptions of a street scene by weather, night and dirt, without its depths.

The arguments are those of the functions in sensor.py. Fog, rain and night assume that the camera
looks along a street: the horizon is a little above the middle, and lower pixels are nearer.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.data import draw_cloud
from hierseg.evaluation.corruptions.sensor import GAMMA, Image

HORIZON = 0.42
"""Place of the horizon, as a share of the height from the top."""


def add_fog(image: Image, level: int, random: np.random.Generator) -> Image:
    """Colours fade with distance to a pale grey, in drifts."""
    height, width = image.shape[:2]
    y, x = _places(height, width)
    # Distance grows along the road to the horizon. Above it everything is as far, but nearer at the
    # sides, where houses are.
    ahead = 0.1 / (np.maximum(y - HORIZON, 0) + 0.1)
    above = np.clip((HORIZON - y) / 0.2, 0, 1)
    sides = 1 - 0.4 * above * np.abs(2 * x - 1) ** 2
    density = (1.1, 2.2, 4.0)[level] * (0.65 + 0.7 * draw_cloud(height, width, random))
    kept = np.exp(-density * ahead * sides)[..., None]
    air = np.array((0.80, 0.82, 0.84))
    return np.asarray(image * kept + air * (1 - kept), np.float32)


def add_rain(image: Image, level: int, random: np.random.Generator) -> Image:
    """A dull, hazy picture behind streaks: long ones near, many short ones far away."""
    height, width = image.shape[:2]
    lean = random.uniform(-0.25, 0.25)
    grey = image.mean(axis=2, keepdims=True)
    dull = (0.88, 0.76, 0.64)[level] * (0.65 * image + 0.35 * grey)
    haze = (0.06, 0.12, 0.20)[level]
    streaks = np.zeros((height, width), np.float32)
    count = (500, 1100, 2200)[level]
    for share, length, thickness, strength in (
        (0.8, 0.035, 0.0016, 0.30),
        (0.2, 0.10, 0.003, 0.42),
    ):
        layer = np.zeros((height, width), np.uint8)
        drops = random.random((int(share * 2200), 3))[: int(share * count)]
        for across, down, longer in drops:
            reach = length * (0.6 + 0.8 * longer) * height
            start = np.array((across * 1.3 - 0.15, down * 1.2 - 0.1)) * (width, height)
            end = start + np.array((lean * reach, reach))
            # In sixteenths of a pixel, so that thin streaks are placed exactly.
            ends = [np.rint(point * 16).astype(int).tolist() for point in (start, end)]
            wide = max(1, round(thickness * height))
            cv2.line(layer, ends[0], ends[1], (255,), wide, cv2.LINE_AA, 4)
        streaks = np.maximum(streaks, layer.astype(np.float32) * np.float32(strength / 255))
    hazed = dull * (1 - haze) + np.float32(0.75) * haze
    return np.asarray(hazed + (0.86 - hazed) * streaks[..., None], np.float32)


def turn_to_night(image: Image, level: int, random: np.random.Generator) -> Image:
    """A fraction of the light, bluish, with headlights before the camera, a few lamps, and the
    noise of a sensor in the dark.
    """
    height, width = image.shape[:2]
    y, x = _places(height, width)
    light = image.astype(np.float64) ** GAMMA
    exposure = (0.16, 0.07, 0.03)[level]
    sky = 0.25 + 0.75 * np.clip((y - 0.05) / HORIZON, 0, 1)  # the brightest by day is dark now
    moon = np.array((0.75, 0.9, 1.25))
    beam = np.exp(-(((x - 0.5) / 0.28) ** 2) - ((y - 0.78) / 0.22) ** 2)[..., None]
    seen = light * (exposure * sky[..., None] * moon + 2.5 * exposure * beam)
    for _ in range(int(random.integers(3, 6))):
        row, column, size = random.uniform((0.16, 0.03, 0.012), (0.38, 0.97, 0.03))
        distance = ((y - row) * height) ** 2 + ((x - column) * width) ** 2
        glow = np.exp(-distance / (2 * (size * height) ** 2)) + 0.12 * np.exp(
            -distance / (2 * (5 * size * height) ** 2)
        )
        lit = np.array((1.0, 0.72, 0.38))
        seen = seen + glow[..., None] * lit * (0.35 + 0.6 * light)
    photons = (900.0, 500.0, 300.0)[level]
    noisy = random.poisson(np.clip(seen, 0, 4) * photons) / photons
    noisy = noisy + random.standard_normal(noisy.shape) * 0.0015
    return np.asarray(np.clip(noisy, 0, 1) ** (1 / GAMMA), np.float32)


def cover_parts(image: Image, level: int, random: np.random.Generator) -> Image:
    """Dirt on the lens hides 8, 20, 40% of the image: spots that grow with the level."""
    height, width = image.shape[:2]
    cloud = draw_cloud(height, width, random, coarsest=5)
    edge = np.quantile(cloud, 1 - (0.08, 0.20, 0.40)[level])
    opaque = np.clip((cloud - edge) / 0.03 + 0.5, 0, 1)[..., None]
    grain = 0.8 + 0.4 * draw_cloud(height, width, random, coarsest=24)[..., None]
    dirt = np.array((0.20, 0.16, 0.12)) * grain
    return np.asarray(image * (1 - opaque) + dirt * opaque, np.float32)


def _places(height: int, width: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(H, 1) and (1, W) positions of pixels as shares of the height and the width."""
    return (
        ((np.arange(height) + 0.5) / height)[:, None],
        ((np.arange(width) + 0.5) / width)[None, :],
    )
