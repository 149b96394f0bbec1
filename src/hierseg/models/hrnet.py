"""HRNetV2 (Wang et al., arXiv 1908.07919), METHOD section 1.

Shape letters: B batch, w the width of the finest branch, h and v height and width at its stride 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hierseg.layers import ConvNormAct, initialise_convolutions, resize_to

STEM_CHANNELS = 64
STAGE1_CHANNELS = 256


class StageDepths(NamedTuple):
    """Numbers of blocks and modules."""

    bottlenecks: int
    """Blocks of stage 1."""
    modules: tuple[int, int, int]
    """Modules of stages 2, 3, 4."""
    blocks: int
    """Residual blocks of a branch in one module."""


PUBLISHED = StageDepths(bottlenecks=4, modules=(1, 4, 3), blocks=4)
SMALL_V2 = StageDepths(bottlenecks=2, modules=(1, 3, 2), blocks=2)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 around a shortcut, which is a 1x1 projection where the channels change."""

    def __init__(self, in_channels: int, inner: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(in_channels, inner)
        self.conv2 = ConvNormAct(inner, inner, 3)
        self.conv3 = ConvNormAct(inner, out_channels, act=False)
        self.shortcut = (
            nn.Identity()
            if in_channels == out_channels
            else ConvNormAct(in_channels, out_channels, act=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, h, v) to (B, out_channels, h, v)."""
        residual: Tensor = self.conv3(self.conv2(self.conv1(x)))
        residual += self.shortcut(x)
        return F.relu_(residual)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around an identity shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(channels, channels, 3)
        self.conv2 = ConvNormAct(channels, channels, 3, act=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, v), the same shape out."""
        residual: Tensor = self.conv2(self.conv1(x))
        residual += x
        return F.relu_(residual)


def _exchange_path(widths: Sequence[int], source: int, target: int) -> nn.Module:
    """Convolutions from branch ``source`` to the channels of ``target``, and to its stride if the
    source is finer. A coarser source is resized afterwards.
    """
    if source == target:
        return nn.Identity()
    if source > target:
        return ConvNormAct(widths[source], widths[target], act=False)
    steps = target - source
    return nn.Sequential(
        *(ConvNormAct(widths[source], widths[source], 3, 2) for _ in range(steps - 1)),
        ConvNormAct(widths[source], widths[target], 3, 2, act=False),
    )


class HighResolutionModule(nn.Module):
    """Parallel branches of residual blocks, and the exchange between all of them at the end."""

    def __init__(self, widths: Sequence[int], blocks: int, align_corners: bool) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width) for _ in range(blocks))) for width in widths
        )
        self.exchange = nn.ModuleList(
            nn.ModuleList(_exchange_path(widths, j, i) for j in range(len(widths)))
            for i in range(len(widths))
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Branches, fine to coarse, (B, widths[i], h_i, v_i) each, to branches of these shapes."""
        # The list is emptied, so that in evaluation an input is freed when its branch has run.
        inputs = list(reversed(features))
        features.clear()
        outputs: list[Tensor] = [branch(inputs.pop()) for branch in self.branches]
        return [self._gather(outputs, target) for target in range(len(outputs))]

    def _gather(self, outputs: list[Tensor], target: int) -> Tensor:
        size = (outputs[target].shape[-2], outputs[target].shape[-1])
        paths = cast(nn.ModuleList, self.exchange[target])
        parts = (
            resize_to(path(output), size, self.align_corners)
            for path, output in zip(paths, outputs, strict=True)
        )
        # A sum of two or more branches is a new tensor, so that ReLU may overwrite it.
        total = reduce(torch.add, parts)
        return F.relu_(total)


class HRNet(nn.Module):
    """HRNetV2 trunk: four branches at strides 4, 8, 16, 32. No convolution has a bias.

    Args:
        width: Channels w of the finest branch; the others have 2w, 4w, 8w.
        depths: Numbers of blocks and modules.
        align_corners: Whether coarser branches are resized with aligned corners.
    """

    strides: tuple[int, ...] = (4, 8, 16, 32)

    def __init__(
        self, width: int, depths: StageDepths = PUBLISHED, align_corners: bool = False
    ) -> None:
        super().__init__()
        widths = tuple(width * 2**i for i in range(4))
        self.channels: tuple[int, ...] = widths
        self.stem = nn.Sequential(
            ConvNormAct(3, STEM_CHANNELS, 3, 2), ConvNormAct(STEM_CHANNELS, STEM_CHANNELS, 3, 2)
        )
        inner = STAGE1_CHANNELS // 4
        self.stage1 = nn.Sequential(
            Bottleneck(STEM_CHANNELS, inner, STAGE1_CHANNELS),
            *(
                Bottleneck(STAGE1_CHANNELS, inner, STAGE1_CHANNELS)
                for _ in range(depths.bottlenecks - 1)
            ),
        )

        def stage(number: int) -> nn.Sequential:
            return nn.Sequential(
                *(
                    HighResolutionModule(widths[:number], depths.blocks, align_corners)
                    for _ in range(depths.modules[number - 2])
                )
            )

        self.transition1 = nn.ModuleList(
            [
                ConvNormAct(STAGE1_CHANNELS, widths[0], 3),
                ConvNormAct(STAGE1_CHANNELS, widths[1], 3, 2),
            ]
        )
        self.stage2 = stage(2)
        self.transition2 = ConvNormAct(widths[1], widths[2], 3, 2)
        self.stage3 = stage(3)
        self.transition3 = ConvNormAct(widths[2], widths[3], 3, 2)
        self.stage4 = stage(4)
        initialise_convolutions(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised float to four features fine to coarse, (B, w 2^i, h_i, v_i)."""
        x = self.stage1(self.stem(image))
        features: list[Tensor] = [make(x) for make in self.transition1]
        del x
        features = self.stage2(features)
        features.append(self.transition2(features[-1]))
        features = self.stage3(features)
        features.append(self.transition3(features[-1]))
        result: list[Tensor] = self.stage4(features)
        return result
