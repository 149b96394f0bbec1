"""Xception-71 (Chollet, arXiv 1610.02357; DeepLabV3+'s variant) at stride 8, METHOD section 3.

Shape letters: B batch, h and v height and width of a block's input.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from hierseg.layers import ConvNormAct, initialise_convolutions

PUBLISHED_WIDTH = 64
MIDDLE_BLOCKS = 16


class SeparableConv(nn.Module):
    """Depthwise 3x3, BN, pointwise, BN; no ReLU between."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, dilation: int = 1
    ) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels,
            in_channels,
            3,
            stride,
            padding=dilation,
            dilation=dilation,
            groups=in_channels,
            bias=False,
        )
        self.inner_norm = nn.BatchNorm2d(in_channels)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, h, v) to (B, out_channels, ceil(h / stride), ceil(v / stride))."""
        result: Tensor = self.norm(self.pointwise(self.inner_norm(self.depthwise(x))))
        return result


class XceptionBlock(nn.Module):
    """Three or two separable convolutions with ReLU between them, around a shortcut.

    Args:
        in_channels: Channels of the input.
        channels: Output channels of each convolution.
        stride: Stride of the last convolution and of the shortcut.
        dilations: Dilation of each convolution.
        begins_rectified: Whether a ReLU comes first; convolutions and shortcut both take its
            result.
        ends_rectified: Whether a ReLU follows the sum.
        projects: Whether the shortcut is a 1x1 convolution with BN instead of the identity.
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        *,
        stride: int = 1,
        dilations: Sequence[int] = (1, 1, 1),
        begins_rectified: bool = True,
        ends_rectified: bool = False,
        projects: bool = True,
    ) -> None:
        super().__init__()
        inputs = (in_channels, *channels[:-1])
        last = len(channels) - 1
        self.convs = nn.ModuleList(
            SeparableConv(inputs[i], channels[i], stride if i == last else 1, dilations[i])
            for i in range(len(channels))
        )
        self.stride = stride
        self.shortcut = (
            ConvNormAct(in_channels, channels[-1], act=False) if projects else nn.Identity()
        )
        self.begins_rectified = begins_rectified
        self.ends_rectified = ends_rectified

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, h, v) to (B, channels[-1], ceil(h / stride), ceil(v / stride))."""
        if self.begins_rectified:
            x = torch.relu(x)
        result: Tensor = self.convs[0](x)
        for conv in list(self.convs)[1:]:
            result = conv(torch.relu_(result))
        # Subsampled before the 1x1 convolution, not by its stride: in torch 2.14's oneDNN the
        # backward of a strided one writes out of bounds with fewer than 16 channels, channels last.
        result += self.shortcut(x[..., :: self.stride, :: self.stride])
        return torch.relu_(result) if self.ends_rectified else result


class Xception71(nn.Module):
    """Xception-71 trunk: a fine feature at stride 2 and a deep one at stride 8; with ``middle``
    also one at stride 4 between them. No biases.

    Args:
        width: Channels of the fine feature; published: 64. All others follow in proportion.
        shallow: One middle block instead of sixteen.
        middle: Also return the first block's output, at stride 4, twice as wide as the fine one.
    """

    strides: tuple[int, ...] = (2, 8)

    def __init__(
        self, width: int = PUBLISHED_WIDTH, shallow: bool = False, middle: bool = False
    ) -> None:
        super().__init__()
        self.middle = middle

        def wide(channels: int) -> int:
            return max(1, round(channels * width / PUBLISHED_WIDTH))

        stem, first, second, core = wide(32), wide(128), wide(256), wide(728)
        exit_channels = [wide(count) for count in (1024, 1536, 1536, 2048)]
        self.channels: tuple[int, ...] = (width, exit_channels[-1])
        if middle:
            self.channels, self.strides = (width, first, exit_channels[-1]), (2, 4, 8)
        self.stem = nn.Sequential(ConvNormAct(3, stem, 3, 2), ConvNormAct(stem, width, 3))
        self.blocks = nn.Sequential(
            XceptionBlock(
                width, (first,) * 3, stride=2, begins_rectified=False, ends_rectified=True
            ),
            XceptionBlock(first, (second,) * 2, begins_rectified=False),
            XceptionBlock(second, (core,) * 3, stride=2),
            *(
                XceptionBlock(core, (core,) * 3, dilations=(2, 2, 2), projects=False)
                for _ in range(1 if shallow else MIDDLE_BLOCKS)
            ),
            XceptionBlock(
                core,
                (core, exit_channels[0], exit_channels[0]),
                dilations=(2, 2, 1),
                ends_rectified=True,
            ),
        )
        self.exit = nn.Sequential()
        for source, target in pairwise(exit_channels):
            self.exit.append(SeparableConv(source, target, dilation=4))
            self.exit.append(nn.ReLU(inplace=True))
        initialise_convolutions(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised float to [(B, w, h_2, v_2), (B, 32w, h_8, v_8)]; with ``middle``
        (B, 2w, h_4, v_4) between the two.
        """
        fine: Tensor = self.stem(image)
        middle: Tensor = self.blocks[0](fine)
        features = [fine, middle] if self.middle else [fine]
        deep: Tensor = self.blocks[1](middle)
        del middle
        for block in list(self.blocks)[2:]:
            deep = block(deep)
        return [*features, self.exit(deep)]
