"""Degradation as augmentation: what cameras, compression, weather and darkness do to a picture.

Each kind takes an (H, W, 3) uint8 RGB image, a strength from 0, next to nothing, to 1, and a
generator for what else differs from picture to picture, such as a direction; it returns such an
image. Lengths are shares of the shorter side. Labels stay, also where a thing can hardly be seen.

Strengths reach about as far as those of the corruptions that `hierseg evaluate --corruptions`
measures, and the kinds are like some of them: a network that is trained so has seen such pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Generator, Tensor

from hierseg.data.augmentation.patterns import draw_cloud, draw_disk, draw_line
from hierseg.data.reading import UInt8Array

Float32Array = npt.NDArray[np.float32]

GAMMA = 2.2
"""Approximate gamma between a picture's values and light."""
TO_LIGHT = ((np.arange(256) / 255) ** GAMMA).astype(np.float32)
"""(256,) light, 0 to 1, by level."""
STEPS = 4095
FROM_LIGHT = np.rint(255 * (np.arange(STEPS + 1) / STEPS) ** (1 / GAMMA)).astype(np.uint8)
"""(4096,) level by light, in equal steps."""


def add_noise(pixels: UInt8Array, strength: float, random: np.random.Generator) -> UInt8Array:
    """Noise of a sensor: of its electronics, alike everywhere, and of light, more where it is
    bright; either may be all of it.
    """
    spread = 255 * (0.02 + 0.26 * strength)
    of_light = random.random()
    levels = np.arange(256) / 255
    spreads = (spread * np.sqrt(1 - of_light + 2 * of_light * levels)).astype(np.float32)
    return _to_levels(pixels + spreads[pixels] * random.standard_normal(pixels.shape, np.float32))


def blur_by_motion(pixels: UInt8Array, strength: float, random: np.random.Generator) -> UInt8Array:
    """Every point becomes a line of up to a ninth of the shorter side, in any direction."""
    length = 1 + 0.11 * strength * min(pixels.shape[:2])
    return _filter(pixels, draw_line(length, random.uniform(0, np.pi)))


def blur_by_defocus(pixels: UInt8Array, strength: float, random: np.random.Generator) -> UInt8Array:
    """Every point becomes a disk, up to a twentieth of the shorter side across."""
    return _filter(pixels, draw_disk(0.7 + 0.024 * strength * min(pixels.shape[:2])))


def compress_as_jpeg(
    pixels: UInt8Array, strength: float, random: np.random.Generator
) -> UInt8Array:
    """JPEG of quality 60 down to 4, each strength worse by the same factor."""
    quality = round(60 * (4 / 60) ** strength)
    turned = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def add_haze(pixels: UInt8Array, strength: float, random: np.random.Generator) -> UInt8Array:
    """Haze to dense fog: colours fade with distance to a grey, in drifts.

    Distance grows down to up, to a horizon at any height, as a crop may be any part of a picture.
    """
    height, width = pixels.shape[:2]
    horizon = random.uniform(0.1, 0.7)
    below = np.maximum((np.arange(height) + 0.5) / height - horizon, 0)
    ahead = 0.1 / (below + 0.1)
    # A cloud has no detail that a quarter of the size would lose.
    cloud = draw_cloud(-(-height // 4), -(-width // 4), random).astype(np.float32)
    drifts = np.float32(0.65) + np.float32(0.7) * cv2.resize(cloud, (width, height))
    density = (ahead * (0.3 + 3.7 * strength)).astype(np.float32)[:, None] * drifts
    kept = np.exp(-density)[..., None]
    air = np.float32(random.uniform(120, 235)) + random.uniform(-8, 8, 3).astype(np.float32)
    return _to_levels(air + (pixels - air) * kept)


def add_rain(pixels: UInt8Array, strength: float, random: np.random.Generator) -> UInt8Array:
    """A dull picture behind streaks that all lean one way; more of them, and duller, if strong."""
    height, width = pixels.shape[:2]
    grey = pixels.mean(axis=2, dtype=np.float32)[..., None]
    dull = np.float32(0.95 - 0.35 * strength) * (np.float32(0.65) * pixels + 0.35 * grey)
    haze = np.float32(0.22 * strength)
    hazed = dull * (1 - haze) + np.float32(190) * haze
    lean = random.uniform(-0.3, 0.3)
    layer = np.zeros((height, width), np.uint8)
    for most, length, thickness in ((1800, 0.035, 0.0016), (450, 0.10, 0.003)):
        drops = random.random((round(most * (0.1 + 0.9 * strength)), 3))
        reach = length * (0.6 + 0.8 * drops[:, 2]) * height
        starts = (drops[:, :2] * (1.3, 1.2) - (0.15, 0.1)) * (width, height)
        ends = starts + np.stack([lean * reach, reach], axis=1)
        # In sixteenths of a pixel, so that thin streaks are placed exactly.
        lines = np.rint(16 * np.stack([starts, ends], axis=1)).astype(np.int32)
        wide = max(1, round(thickness * height))
        cv2.polylines(layer, list(lines), False, (255,), wide, cv2.LINE_AA, 4)
    opaque = layer.astype(np.float32)[..., None] * np.float32(random.uniform(0.25, 0.45) / 255)
    return _to_levels(hazed + (220 - hazed) * opaque)


def turn_to_dusk(pixels: UInt8Array, strength: float, random: np.random.Generator) -> UInt8Array:
    """Less light, of a warm or a cold colour, with another gamma."""
    warmth = random.uniform(-0.35, 0.35)
    cast = np.array((1 + warmth, 1 + random.uniform(-0.08, 0.08), 1 - warmth))
    exposure = 2 ** -(0.3 + 2.7 * strength)
    light = TO_LIGHT[:, None] ** random.uniform(0.85, 1.2) * exposure * cast
    table = 255 * np.clip(light, 0, 1) ** (1 / GAMMA)
    return np.asarray(cv2.LUT(pixels, np.rint(table).astype(np.uint8)[None]), np.uint8)


def turn_to_night(pixels: UInt8Array, strength: float, random: np.random.Generator) -> UInt8Array:
    """A fraction of the light, mostly bluish, with headlights and a few lamps, and the noise of a
    sensor in the dark.
    """
    height, width = pixels.shape[:2]
    y = ((np.arange(height) + 0.5) / height)[:, None]
    x = ((np.arange(width) + 0.5) / width)[None, :]
    exposure = 0.25 * (0.025 / 0.25) ** strength
    # The sky, which is the brightest by day, is dark now.
    ambient = exposure * np.clip(0.25 + 0.75 * y / random.uniform(0.2, 0.6), 0, 1)
    row, column = random.uniform(0.6, 0.95), random.uniform(0.3, 0.7)
    headlights = np.exp(-(((y - row) / 0.22) ** 2)) * np.exp(-(((x - column) / 0.28) ** 2))
    moon = random.uniform((0.7, 0.85, 0.9), (1.0, 1.0, 1.3)).astype(np.float32)
    beam = (exposure * random.uniform(0, 3) * headlights).astype(np.float32)
    seen = TO_LIGHT[pixels] * (ambient.astype(np.float32)[..., None] * moon + beam[..., None])
    seen += _draw_lamps(height, width, random)
    photons = 900 * (250 / 900) ** strength
    spread = np.sqrt(seen / np.float32(photons) + np.float32(0.0015**2))
    seen += spread * random.standard_normal(seen.shape, np.float32)
    steps = (np.clip(seen, 0, 1) * STEPS).astype(np.uint16)
    return np.asarray(FROM_LIGHT[steps], np.uint8)


def lower_contrast(pixels: UInt8Array, strength: float, random: np.random.Generator) -> UInt8Array:
    """All levels come nearer to one grey, not far from their mean."""
    grey = pixels.mean() + random.uniform(-40, 40) * strength
    table = grey + (np.arange(256) - grey) * (1 - 0.9 * strength)
    return np.asarray(cv2.LUT(pixels, _to_levels(table)), np.uint8)


Degradation = Callable[[UInt8Array, float, np.random.Generator], UInt8Array]

DEGRADATIONS: Mapping[str, Degradation] = {
    "noise": add_noise,
    "motion blur": blur_by_motion,
    "defocus": blur_by_defocus,
    "jpeg": compress_as_jpeg,
    "haze": add_haze,
    "rain": add_rain,
    "dusk": turn_to_dusk,
    "night": turn_to_night,
    "low contrast": lower_contrast,
}
"""The kinds, all equally likely."""


def degrade_image(image: Tensor, generator: Generator) -> Tensor:
    """(3, H, W) uint8 RGB, degraded in one way that is drawn, by a strength uniform in 0 to 1.

    All randomness comes from the generator; memory that is channels-last is fastest.
    """
    seed = int(torch.randint(2**62, (), generator=generator))
    random = np.random.default_rng(seed)
    degrade = list(DEGRADATIONS.values())[int(random.integers(len(DEGRADATIONS)))]
    pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    return torch.from_numpy(degrade(pixels, random.random(), random)).permute(2, 0, 1)


def _draw_lamps(height: int, width: int, random: np.random.Generator) -> Float32Array:
    """(H, W, 3) light of up to five lamps in the upper half, each a bright spot with a halo."""
    y = np.arange(height, dtype=np.float32)[:, None]
    x = np.arange(width, dtype=np.float32)[None, :]
    glow = np.zeros((height, width), np.float32)
    for _ in range(int(random.integers(0, 6))):
        row, column, size = random.uniform((0.05, 0.0, 0.01), (0.5, 1.0, 0.03))
        down, across = (y - row * height) ** 2, (x - column * width) ** 2
        for wide, bright in ((size * height, 0.6), (5 * size * height, 0.05)):
            steep = np.float32(-1 / (2 * wide**2))
            glow += np.float32(bright) * np.exp(down * steep) * np.exp(across * steep)
    return glow[..., None] * np.array((1.0, 0.72, 0.38), np.float32)


def _filter(pixels: UInt8Array, weights: npt.NDArray[np.float64]) -> UInt8Array:
    kernel = (weights / weights.sum()).astype(np.float32)
    blurred = cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(blurred, np.uint8)


def _to_levels(values: npt.NDArray[Any]) -> UInt8Array:
    return np.asarray(np.rint(np.clip(values, 0, 255)), np.uint8)
