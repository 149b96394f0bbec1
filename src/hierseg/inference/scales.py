"""Scales and the horizontal flip, on tensors: one function for prediction and for evaluation.

Shapes: B batch, K classes, H and W the image's size, h and w the image's size at a scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hierseg.models import SegmentationNetwork, SegmentationOutput


def _average(first: Tensor, mirrored: Tensor) -> Tensor:
    """Mean of a (..., W) map and of one computed from the mirrored image."""
    return (first + mirrored.flip(-1)).mul_(0.5)


def _average_by_scale(
    first: dict[float, Tensor] | None, mirrored: dict[float, Tensor] | None
) -> dict[float, Tensor] | None:
    if first is None or mirrored is None:
        return None
    return {scale: _average(first[scale], mirrored[scale]) for scale in first}


@torch.inference_mode()
def predict_logits(
    network: SegmentationNetwork,
    image: Tensor,
    scales: Sequence[float] | None = None,
    flip: bool = False,
    keep_scales: bool = False,
) -> SegmentationOutput:
    """Run a network in evaluation mode over scales and, if asked, over the mirrored image as well.

    Args:
        network: The network; the caller has put it into evaluation mode and on the image's device.
        image: (B, 3, H, W) RGB, uint8 or float in [0, 1].
        scales: Scales of the image; None takes the network's own.
        flip: Average everything with what the horizontally mirrored image gives (METHOD section 9).
        keep_scales: Keep each scale's logits and attention.

    Returns:
        ``logits`` (B, K, H, W) float; ``per_scale`` {scale: (B, K, h, w)} and ``attention``
        {scale: (B, 1, h, w)} where ``keep_scales`` asks for them; no auxiliary logits.
    """
    chosen = None if scales is None else tuple(scales)
    output = network(image, scales=chosen, keep_scales=keep_scales)
    if not flip:
        return SegmentationOutput(output.logits, None, output.per_scale, output.attention)
    mirrored = network(image.flip(-1), scales=chosen, keep_scales=keep_scales)
    return SegmentationOutput(
        _average(output.logits, mirrored.logits),
        None,
        _average_by_scale(output.per_scale, mirrored.per_scale),
        _average_by_scale(output.attention, mirrored.attention),
    )
