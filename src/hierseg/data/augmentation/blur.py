"""Blur as augmentation (METHOD section 6), drawn from a torch.Generator alone.

The papers say that images are blurred, not how far. The ranges here reach from next to nothing to
what a lens out of focus does to a photograph of a street.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import torch
from torch import Generator, Tensor

from hierseg.data.augmentation.random_numbers import draw_uniform
from hierseg.data.reading import UInt8Array

Blur = Literal["none", "gaussian", "bilateral"]

GAUSSIAN_SIGMA = (0.1, 1.5)
"""Standard deviation of the Gaussian, in pixels."""
BILATERAL_SIGMA = 2.0
"""Standard deviation over places of the bilateral filter, in pixels."""
BILATERAL_LEVELS = (5.0, 60.0)
"""Standard deviation over colours of the bilateral filter, in levels of 255."""


def blur_image(image: Tensor, blur: Blur, generator: Generator) -> Tensor:
    """Blur by an amount drawn at random.

    Args:
        image: (3, H, W) uint8 RGB; fastest where its memory is channels-last.
        blur: ``gaussian`` blurs all alike, ``bilateral`` spares edges; ``none`` draws nothing.
        generator: The amount comes from it.

    Returns:
        (3, H, W) uint8; the image itself for ``none``.
    """
    if blur == "none":
        return image
    pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    if blur == "gaussian":
        blurred = blur_gaussian(pixels, draw_uniform(generator, *GAUSSIAN_SIGMA))
    else:
        blurred = blur_bilateral(pixels, draw_uniform(generator, *BILATERAL_LEVELS))
    return torch.from_numpy(blurred).permute(2, 0, 1)


def blur_gaussian(pixels: UInt8Array, sigma: float) -> UInt8Array:
    """(H, W, 3) uint8 RGB, convolved with a Gaussian of ``sigma`` pixels, edges mirrored."""
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)


def blur_bilateral(pixels: UInt8Array, levels: float) -> UInt8Array:
    """(H, W, 3) uint8 RGB, each pixel averaged with its neighbours of like colour."""
    return np.asarray(cv2.bilateralFilter(pixels, 0, levels, BILATERAL_SIGMA), np.uint8)
