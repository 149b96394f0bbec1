"""Convolution blocks, their initial values, and bilinear resizing."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hierseg.errors import UserError
from hierseg.size import Size

LONGEST_SIDE = 2**14
"""Largest side in pixels that a graph with free sizes scales exactly."""
LARGEST_DENOMINATOR = 1000
"""Of a scale as a fraction; 32 bits then hold the product of its numerator and any such side."""


class ConvNormAct(nn.Module):
    """Convolution, batch norm (eps 1e-5, momentum 0.1) and ReLU, padded so that stride 1 keeps the
    size.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel: Side of the kernel, odd.
        stride: Stride; an input side n gives ceil(n / stride).
        dilation: Dilation of the kernel, one number or (vertical, horizontal).
        bias: Whether the convolution has a bias of its own.
        act: Whether a ReLU follows.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        dilation: int | tuple[int, int] = 1,
        bias: bool = False,
        act: bool = True,
    ) -> None:
        super().__init__()
        vertical, horizontal = (dilation, dilation) if isinstance(dilation, int) else dilation
        half = kernel // 2
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            kernel,
            stride,
            padding=(vertical * half, horizontal * half),
            dilation=(vertical, horizontal),
            bias=bias,
        )
        self.norm = nn.BatchNorm2d(out_channels)
        # In place is safe after a batch norm: its backward needs its input, not its output.
        self.act = nn.ReLU(inplace=True) if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, h, w) to (B, out_channels, ceil(h / stride), ceil(w / stride))."""
        result: Tensor = self.act(self.norm(self.conv(x)))
        return result


def initialise_convolutions(module: nn.Module) -> None:
    """Draw every convolution's weights as He et al. (arXiv 1502.01852), by fan-out for ReLU.

    Does nothing on torch's meta device, where it would take long.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d) and not part.weight.is_meta:
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")


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
    if x.shape[1] == 3 and x.device.type == "cpu" and _has_channels_last(x):
        # torch resizes three channels four times as fast where each is a plane of its own.
        resized = _resize(x.contiguous(), size, align_corners)
        return resized.contiguous(memory_format=torch.channels_last)
    return _resize(x, size, align_corners)


def _resize(x: Tensor, size: tuple[int, int], align_corners: bool) -> Tensor:
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=align_corners)


def _has_channels_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def scaled_size(size: tuple[int, int], scale: float) -> Size:
    """The size of an image of ``size`` resized by ``scale``: floor(H*s) by floor(W*s) pixels."""
    return Size(_scale_side(size[0], scale), _scale_side(size[1], scale))


def _scale_side(side: Any, scale: float) -> int:
    if isinstance(side, int):
        return math.floor(side * scale)
    # In a graph with free sizes by whole numbers, since runtimes round fractions differently.
    ratio = find_ratio(scale)
    scaled: int = side * ratio.numerator // ratio.denominator
    return scaled


@cache
def find_ratio(scale: float) -> Fraction:
    """A fraction that scales every side up to ``LONGEST_SIDE`` exactly as ``scale`` does.

    Raises:
        UserError: There is none: for some side, rounding takes the product past a whole number.
    """
    ratio = Fraction(scale).limit_denominator(LARGEST_DENOMINATOR)
    sides = np.arange(1, LONGEST_SIDE + 1)
    by_ratio = sides * ratio.numerator // ratio.denominator
    if not np.array_equal(np.floor(sides * scale), by_ratio):
        raise UserError(
            f"scale {scale:g} cannot be exported exactly for every size; give one --size, or "
            "scales such as 0.5, 0.75 and 1.5."
        )
    return ratio
