"""Estimates where a larger scale is worth its cost, before it is run (METHOD section 2, Gated
scales).

Shape letters: B batch, C channels of the head's features, K classes, h and w height and width of
the maps of the largest scale that was run, at the network's own stride.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hierseg.layers import resize_to
from hierseg.models.outputs import ScaleOutput

CLUES = 3
"""Input channels of the learned gate beside the features: entropy, weight and disagreement."""


class Evidence(NamedTuple):
    """Maps of the scales run so far from which the worth of the next one is estimated, each at the
    size of the largest scale's maps."""

    entropy: Tensor
    """(B, 1, h, w) in [0, 1]: entropy of the softmax of the fused logits, over log K."""
    weight: Tensor
    """(B, 1, h, w) in [0, 1]: weight that the scales run so far leave to larger ones."""
    disagreement: Tensor | None
    """(B, 1, h, w) in [0, 1]: half the sum over classes of the absolute difference between the
    softmax of the largest scale and that of the scale below it; None if only one scale was run."""
    features: Tensor | None
    """(B, C, h, w) head's features of the largest scale; None if the engine gives none."""


def gather_evidence(outputs: Sequence[ScaleOutput], align_corners: bool = False) -> Evidence:
    """Evidence of one or more scales' outputs, the smallest scale first, each with its attention.

    The fused logits are those of the hierarchical fusion of these scales alone, at the network's
    stride instead of the image's size.
    """
    *smaller, largest = outputs
    fused = largest.logits.float()
    size = (fused.shape[-2], fused.shape[-1])
    weight = 1 - _attention_of(largest)
    disagreement = None
    own = fused
    for output in reversed(smaller):
        logits, attention = output.logits.float(), _attention_of(output)
        if disagreement is None:
            difference = own.softmax(dim=1) - resize_to(logits, size, align_corners).softmax(dim=1)
            disagreement = difference.abs_().sum(dim=1, keepdim=True) / 2
        rest = 1 - resize_to(attention, size, align_corners)
        fused = resize_to(attention * logits, size, align_corners) + rest * fused
        weight = weight * rest
    log_share = fused.log_softmax(dim=1)
    entropy = -(log_share.exp() * log_share).sum(dim=1, keepdim=True)
    features = largest.features
    return Evidence(
        entropy / math.log(max(2, fused.shape[1])),
        weight,
        disagreement,
        None if features is None else features.float(),
    )


def _attention_of(output: ScaleOutput) -> Tensor:
    assert output.attention is not None
    return output.attention.float()


class BenefitGate(nn.Module):
    """The learned gate: predicts where the next scale corrects a label and where it spoils one.

    Two 1x1 convolutions with a ReLU between them give the shares of three kinds of pixels: those
    that the next scale corrects, those that it spoils, and others.

    Args:
        channels: C.
        mid_channels: Channels between the convolutions.
    """

    def __init__(self, channels: int, mid_channels: int = 8) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels + CLUES, mid_channels, 1)
        self.act = nn.ReLU()
        self.foretell = nn.Conv2d(mid_channels, 3, 1)

    def forward(self, clues: Tensor) -> Tensor:
        """(B, C + 3, h, w) from ``join_clues`` to (B, 1, h, w) in (-1, 1): the share of corrected
        pixels minus the share of spoiled ones.
        """
        shares = self.foretell(self.act(self.mix(clues))).softmax(dim=1)
        benefit: Tensor = shares[:, :1] - shares[:, 1:2]
        return benefit


def join_clues(evidence: Evidence) -> Tensor:
    """(B, C + 3, h, w): entropy, weight, disagreement (0 if None) and features."""
    entropy, weight, disagreement, features = evidence
    assert features is not None
    third = torch.zeros_like(weight) if disagreement is None else disagreement
    return torch.cat([entropy, weight, third, features], dim=1)
