"""What says where a finer scale is worth its cost, before it is run (docs/method.md, Gated scales).

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
"""Channels that the learned gate sees beside the features: entropy, weight and disagreement."""


class Evidence(NamedTuple):
    """What the scales that were run say of the next one, each map of the largest one's size."""

    entropy: Tensor
    """(B, 1, h, w) in [0, 1]: of the classes as fused so far, over that of all classes alike."""
    weight: Tensor
    """(B, 1, h, w) in [0, 1]: what the scales that were run leave to larger ones."""
    disagreement: Tensor | None
    """(B, 1, h, w) in [0, 1]: half the sum of absolute differences between the classes'
    probabilities by the largest scale and by the one below; None where one was run."""
    features: Tensor | None
    """(B, C, h, w) of the largest scale, where the network or its engine gives them."""


def gather_evidence(outputs: Sequence[ScaleOutput], align_corners: bool = False) -> Evidence:
    """What the outputs of one or more scales say, the smallest first, each with its attention.

    The fused classes are those of the hierarchical fusion of these scales alone, at the stride of
    the network instead of the image's.
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
    """Foretells where the next scale corrects the answer, and where it spoils it.

    Two 1x1 convolutions with a ReLU between them, to the shares of three kinds of pixels: those
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
        """(B, C + 3, h, w) as of ``join_clues`` to (B, 1, h, w) in (-1, 1): the share of pixels
        corrected less that of pixels spoiled.
        """
        shares = self.foretell(self.act(self.mix(clues))).softmax(dim=1)
        benefit: Tensor = shares[:, :1] - shares[:, 1:2]
        return benefit


def join_clues(evidence: Evidence) -> Tensor:
    """(B, C + 3, h, w): entropy, weight, and disagreement, 0 where there is none, and features."""
    entropy, weight, disagreement, features = evidence
    assert features is not None
    third = torch.zeros_like(weight) if disagreement is None else disagreement
    return torch.cat([entropy, weight, third, features], dim=1)
