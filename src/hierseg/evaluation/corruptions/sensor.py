"""Corruptions of a picture by the camera: noise, blur, compression, exposure.

Each takes an (H, W, 3) float32 RGB image in [0, 1], the level 0, 1 or 2 and a generator, and
returns such an image, which may leave [0, 1]. Lengths are shares of the shorter side, so that a
level means the same at any size.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.data import draw_disk, draw_line

Image = npt.NDArray[np.float32]

GAMMA = 2.2
"""Approximate gamma between a picture's values and light."""


def add_gaussian_noise(image: Image, level: int, random: np.random.Generator) -> Image:
    """Noise of one standard deviation everywhere, as of electronics."""
    spread = (0.08, 0.16, 0.28)[level]
    return image + random.standard_normal(image.shape, np.float32) * np.float32(spread)


def add_shot_noise(image: Image, level: int, random: np.random.Generator) -> Image:
    """Each value becomes a Poisson count of few photons: noise is stronger in bright places."""
    photons = (40.0, 15.0, 6.0)[level]
    return np.asarray(random.poisson(image * photons) / photons, np.float32)


def blur_by_defocus(image: Image, level: int, random: np.random.Generator) -> Image:
    """Every point becomes a disk, as with a lens out of focus."""
    radius = 0.7 + (0.006, 0.013, 0.024)[level] * min(image.shape[:2])
    return _filter(image, draw_disk(radius))


def blur_by_motion(image: Image, level: int, random: np.random.Generator) -> Image:
    """Every point becomes a line of a random direction, as with a moving camera."""
    length = 1 + (0.03, 0.06, 0.11)[level] * min(image.shape[:2])
    return _filter(image, draw_line(length, random.uniform(0, np.pi)))


def compress_as_jpeg(image: Image, level: int, random: np.random.Generator) -> Image:
    """JPEG of quality 20, 10 or 5, with colours at half the resolution."""
    pixels = np.rint(np.clip(image[..., ::-1], 0, 1) * 255).astype(np.uint8)
    options = [
        *(cv2.IMWRITE_JPEG_QUALITY, (20, 10, 5)[level]),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
    ]
    _, encoded = cv2.imencode(".jpg", pixels, options)
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.float32)
    return np.asarray(decoded[..., ::-1] / 255, np.float32)


def raise_brightness(image: Image, level: int, random: np.random.Generator) -> Image:
    """Overexposure by 1, 2 or 3 stops of light: bright parts become white."""
    stops = (1.0, 2.0, 3.0)[level]
    return np.asarray(image * np.float32(2 ** (stops / GAMMA)), np.float32)


def lower_contrast(image: Image, level: int, random: np.random.Generator) -> Image:
    """Differences from the image's mean are reduced to a half, a quarter or an eighth."""
    mean = image.mean(dtype=np.float64)
    return np.asarray(mean + (image - mean) * (0.5, 0.25, 0.125)[level], np.float32)


def _filter(image: Image, weights: npt.NDArray[np.float64]) -> Image:
    kernel = (weights / weights.sum()).astype(np.float32)
    return np.asarray(
        cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT_101), np.float32
    )
