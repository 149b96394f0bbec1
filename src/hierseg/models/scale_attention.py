"""Scale attention (HMSA section 3.2), METHOD section 1: how far a scale decides, pixel by pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hierseg.layers import ConvNormAct


class ScaleAttention(nn.Module):
    """3x3 conv-BN-ReLU, 3x3 conv-BN-ReLU, 1x1 conv to one channel, sigmoid; without biases.

    Args:
        channels: Channels of the head's features.
        mid_channels: Channels of the two 3x3 convolutions.
        second: Whether there is the second 3x3 convolution.
        dropout: Probability of dropping a value before the last convolution, in training.
    """

    def __init__(
        self, channels: int, mid_channels: int = 256, *, second: bool = True, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(channels, mid_channels, 3)
        self.conv2 = ConvNormAct(mid_channels, mid_channels, 3) if second else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.weigh = nn.Conv2d(mid_channels, 1, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, channels, h, w) to (B, 1, h, w) in (0, 1)."""
        hidden = self.dropout(self.conv2(self.conv1(features)))
        return torch.sigmoid(self.weigh(hidden))
