"""Context at several dilations: ASPP, or a dense prediction cell (METHOD section 3).

Shape letters: B batch, C channels of the input, h and v height and width of the feature.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hierseg.errors import UsageError
from hierseg.layers import ConvNormAct, Synchronised, resize_to

DILATIONS = (12, 24, 36)
"""Dilations of ASPP's three 3x3 branches at output stride 8."""
CELL_DILATIONS = ((1, 6), (18, 15), (6, 21), (1, 1), (6, 3))
"""(vertical, horizontal) dilations of the convolutions a to e at output stride 16
(Chen et al., arXiv 1809.04184); the cell doubles them for output stride 8."""


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling (Chen et al., arXiv 1802.02611; METHOD section 3): global
    pooling, 1x1, and three dilated 3x3 branches.

    Args:
        in_channels: C.
        channels: Channels of each branch; five of them are concatenated, the pooled one first.
        pool: Side of the pooling window in pixels of the feature; None pools the whole feature.
            A window of the training crop's size pools larger images as training did.
        align_corners: Whether window means are resized with aligned corners.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int = 256,
        *,
        pool: int | None = None,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.pool = pool
        self.align_corners = align_corners
        self.out_channels = channels * (2 + len(DILATIONS))
        self.pooled = ConvNormAct(in_channels, channels)
        self.branches = nn.ModuleList(
            [
                ConvNormAct(in_channels, channels),
                *(ConvNormAct(in_channels, channels, 3, dilation=rate) for rate in DILATIONS),
            ]
        )

    @property
    def needs_two_images(self) -> bool:
        """Whether a batch of one image cannot be run: in training, the pooled branch's batch norm
        would have one value a channel.

        A batch norm synchronised over several processes also has the other processes' values.
        """
        norm = self.pooled.norm
        is_alone = not isinstance(norm, nn.SyncBatchNorm | Synchronised)
        return norm.training and is_alone

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, v) to (B, out_channels, h, v)."""
        return torch.cat([self._pool(x), *(branch(x) for branch in self.branches)], dim=1)

    def _pool(self, x: Tensor) -> Tensor:
        """The pooled branch, at the feature's size."""
        height, width = x.shape[-2:]
        pooled: Tensor
        if self.pool is None or self.pool >= max(height, width):
            # Resized bilinearly, one pixel is the same everywhere.
            pooled = self.pooled(x.mean((2, 3), keepdim=True)).expand(-1, -1, height, width)
            return pooled
        # Rows, then columns: a window at once would take as many additions as it has pixels.
        means = F.avg_pool2d(x, (min(self.pool, height), 1), 1)
        means = F.avg_pool2d(means, (1, min(self.pool, width)), 1)
        return resize_to(self.pooled(means), (height, width), self.align_corners)


class DensePredictionCell(nn.Module):
    """Five dilated 3x3 conv-BN-ReLU: a on the input, b, c and d on a, e on b (Chen et al., arXiv
    1809.04184; METHOD section 3).

    Args:
        in_channels: C.
        channels: Channels of each of the five, which are concatenated.
    """

    def __init__(self, in_channels: int, channels: int = 256) -> None:
        super().__init__()
        self.out_channels = channels * len(CELL_DILATIONS)
        rates = [(2 * vertical, 2 * horizontal) for vertical, horizontal in CELL_DILATIONS]
        self.branches = nn.ModuleList(
            ConvNormAct(in_channels if index == 0 else channels, channels, 3, dilation=rate)
            for index, rate in enumerate(rates)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, v) to (B, out_channels, h, v)."""
        a: Tensor = self.branches[0](x)
        b, c, d = (branch(a) for branch in list(self.branches)[1:4])
        return torch.cat([a, b, c, d, self.branches[4](b)], dim=1)


def build_context(
    in_channels: int,
    channels: int,
    *,
    cell: bool = False,
    pool: int | None = None,
    align_corners: bool = False,
) -> ASPP | DensePredictionCell:
    """ASPP, or with ``cell`` a dense prediction cell, for which ``pool`` is a UsageError."""
    if not cell:
        return ASPP(in_channels, channels, pool=pool, align_corners=align_corners)
    if pool is not None:
        raise UsageError("a dense prediction cell has no pooling; leave aspp_pool out.")
    return DensePredictionCell(in_channels, channels)
