"""WideResNet-38 (Wu et al., arXiv 1611.10080) at output stride 8, METHOD section 3.

Shape letters: B batch, h and v height and width of a block's input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hierseg.layers import initialise_convolutions


class Stage(NamedTuple):
    """Blocks of one kind."""

    blocks: int
    widths: tuple[int, ...]
    """Output channels of each convolution of a block, in widths of the stem."""
    stride: int = 1
    """Stride of the first block."""
    dilation: int = 1
    dropout: float = 0.0


STAGES = (
    Stage(3, (2, 2)),
    Stage(3, (4, 4)),
    Stage(6, (8, 8), stride=2),
    Stage(3, (8, 16), dilation=2),
    Stage(1, (8, 16, 32), dilation=4, dropout=0.3),
    Stage(1, (16, 32, 64), dilation=4, dropout=0.5),
)
"""Called mod2 to mod7 in published checkpoints; a max-pool precedes each of the first two."""


class PreActivationBlock(nn.Module):
    """BN-ReLU, then convolutions with BN-ReLU between them, around a shortcut.

    If channels or stride change, the shortcut is a 1x1 convolution of the activated input, else the
    raw input. Two convolutions are both 3x3; of three, the middle one is.

    Args:
        in_channels: Channels of the input.
        channels: Output channels of each convolution, two or three.
        stride: Stride of the first 3x3 convolution and of the shortcut.
        dilation: Dilation of every 3x3 convolution.
        dropout: Probability of dropping a channel before the last convolution, in training.
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        *,
        stride: int = 1,
        dilation: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        kernels, strides = ((3, 3), (stride, 1)) if len(channels) == 2 else ((1, 3, 1), (1,) * 3)
        inputs = (in_channels, *channels[:-1])
        self.norms = nn.ModuleList(nn.BatchNorm2d(count) for count in inputs)
        self.convs = nn.ModuleList(
            nn.Conv2d(
                source,
                target,
                kernel,
                step,
                padding=dilation * (kernel // 2),
                dilation=dilation if kernel > 1 else 1,
                bias=False,
            )
            for source, target, kernel, step in zip(inputs, channels, kernels, strides, strict=True)
        )
        self.dropout = nn.Dropout2d(dropout)
        same = strides[0] == 1 and in_channels == channels[-1]
        self.shortcut = (
            None if same else nn.Conv2d(in_channels, channels[-1], 1, strides[0], bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, h, v) to (B, channels[-1], ceil(h / stride), ceil(v / stride))."""
        # In place is safe behind a batch norm: its backward needs its input, not its output.
        active = torch.relu_(self.norms[0](x))
        shortcut = x if self.shortcut is None else self.shortcut(active)
        result: Tensor = self.convs[0](active)
        del active
        for index in range(1, len(self.convs)):
            result = torch.relu_(self.norms[index](result))
            if index == len(self.convs) - 1:
                result = self.dropout(result)
            result = self.convs[index](result)
        result += shortcut
        return result


class WideResNet38(nn.Module):
    """WideResNet-38 trunk: a fine feature at stride 2 and a deep one at stride 8; with ``middle``
    also one at stride 4 between them.

    No convolution has a bias, and no activation follows the last block.

    Args:
        width: Channels of the stem; published: 64. The features have 2 and 64 times as many.
        shallow: One block a stage instead of the published number.
        middle: Also return the second stage's output, at stride 4, 4 times as wide as the stem.
    """

    strides: tuple[int, ...] = (2, 8)

    def __init__(self, width: int = 64, shallow: bool = False, middle: bool = False) -> None:
        super().__init__()
        self.middle = middle
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.stages = nn.ModuleList()
        count = width
        for stage in STAGES:
            channels = [width * part for part in stage.widths]
            blocks = nn.Sequential()
            for index in range(1 if shallow else stage.blocks):
                blocks.append(
                    PreActivationBlock(
                        count,
                        channels,
                        stride=stage.stride if index == 0 else 1,
                        dilation=stage.dilation,
                        dropout=stage.dropout,
                    )
                )
                count = channels[-1]
            self.stages.append(blocks)
        self.channels: tuple[int, ...] = (2 * width, 64 * width)
        if middle:
            self.channels, self.strides = (2 * width, 4 * width, 64 * width), (2, 4, 8)
        initialise_convolutions(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised float to [(B, 2w, h_2, v_2), (B, 64w, h_8, v_8)]; with ``middle``
        (B, 4w, h_4, v_4) between the two.
        """
        x: Tensor = F.max_pool2d(self.stem(image), 3, 2, padding=1)
        fine: Tensor = self.stages[0](x)
        del x
        deep: Tensor = F.max_pool2d(fine, 3, 2, padding=1)
        deep = self.stages[1](deep)
        features = [fine, deep] if self.middle else [fine]
        for stage in list(self.stages)[2:]:
            deep = stage(deep)
        return [*features, deep]
