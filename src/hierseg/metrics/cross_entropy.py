"""Cross-entropy of a network's logits, as sums that can be added over images."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 1 << 18
"""Pixels processed together, so that copies of their logits stay small."""


@torch.inference_mode()
def sum_cross_entropy(logits: Tensor, labels: Tensor, ignore: int = 255) -> tuple[float, int]:
    """Cross-entropy of an image summed over its counted pixels, in nats, and their number.

    A pixel's term is -log softmax(logits)[label]. It is computed in float32 and summed in float64.

    Args:
        logits: (K, H, W) float, any device.
        labels: (H, W) integer train ids; pixels of ``ignore`` do not count.
        ignore: The label that does not count.

    Returns:
        The sum, 0 if no pixel counts, and the number of counted pixels.
    """
    flat, truth = logits.flatten(1), labels.flatten().to(logits.device)
    total = torch.zeros((), dtype=torch.float64, device=logits.device)
    for start in range(0, truth.numel(), CHUNK):
        part, given = truth[start : start + CHUNK].long(), flat[:, start : start + CHUNK].float()
        counted = part != ignore
        own = given.gather(0, part.where(counted, 0)[None])[0]
        # torch.where, not a product: a pixel that does not count may be NaN.
        total += (given.logsumexp(0) - own).where(counted, 0).double().sum()
    return float(total), int((truth != ignore).sum())
