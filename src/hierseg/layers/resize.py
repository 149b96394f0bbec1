"""Bilinear resizing to an explicit size."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from hierseg.size import Size


def resize_to(x: Tensor, size: tuple[int, int], align_corners: bool = False) -> Tensor:
    """Resize bilinearly to ``size`` (height, width).

    Args:
        x: (B, C, h, w) float.
        size: Height and width in pixels of the result.
        align_corners: Whether the centres of the corner pixels stay in place.

    Returns:
        (B, C, *size); ``x`` itself where it has that size already.
    """
    if x.shape[-2:] == tuple(size):
        return x
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=align_corners)


def scaled_size(size: tuple[int, int], scale: float) -> Size:
    """The size of an image of ``size`` resized by ``scale``: floor(H*s) by floor(W*s) pixels."""
    return Size(math.floor(size[0] * scale), math.floor(size[1] * scale))
