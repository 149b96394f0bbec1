"""From logits to labels and confidence.

Shapes: B batch, K classes, H and W the image's size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hierseg.layers import RowMap

BAND_BYTES = 32 * 2**20
"""Bytes of logits per band of rows on a CPU: enough for all threads, and little for the caches."""
GPU_BAND_BYTES = 2**29
"""Bytes of logits per band of rows on a GPU."""
FEWEST_ROWS = 16
"""Fewest rows of a band."""


@torch.inference_mode()
def decide(logits: Tensor, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
    """(B, K, H, W) logits to (B, H, W) uint8 train ids and their (B, H, W) float32 confidence in
    (0, 1], the softmax at a temperature.

    Labels are taken before the division by the temperature, which could round two logits to a tie.
    """
    logits = logits.float()
    top, labels = logits.max(dim=1)
    if temperature != 1:
        top, logits = top / temperature, logits / temperature
    # logsumexp would look for the maximum once more.
    below = (logits - top.unsqueeze(1)).exp_()
    normaliser = below.sum(dim=1).log_().add_(top)
    confidence = (top - normaliser).exp_().clamp_(max=1)
    return labels.to(torch.uint8), confidence


def count_rows(logits: RowMap, batch: int, channels: int, device: torch.device) -> int:
    """Number of rows of a map to compute at once, by the size of a band."""
    row = 4 * batch * channels * logits.size.width
    most = BAND_BYTES if device.type == "cpu" else GPU_BAND_BYTES
    return max(FEWEST_ROWS, most // row)
