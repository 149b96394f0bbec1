"""From logits to labels and confidence.

Shapes: B batch, K classes, H and W the image's size, h and w the size that it was run at.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hierseg.layers import resize_to


@torch.inference_mode()
def decide(logits: Tensor, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
    """(B, K, H, W) logits to (B, H, W) uint8 train ids and their float32 softmax at a temperature.

    The labels are those of the logits as they are: dividing could round two of them to a tie.
    """
    logits = logits.float()
    top, labels = logits.max(dim=1)
    if temperature != 1:
        top, logits = top / temperature, logits / temperature
    confidence = (top - logits.logsumexp(dim=1)).exp_().clamp_(max=1)
    return labels.to(torch.uint8), confidence


@torch.inference_mode()
def decide_at(
    logits: Tensor, size: tuple[int, int], temperature: float, align_corners: bool
) -> tuple[Tensor, Tensor]:
    """What ``decide`` gives of logits that are resized to a size.

    Class by class: of a photograph, the resized logits of all would fill gigabytes.
    """

    def resized(index: int) -> Tensor:
        return resize_to(logits[:, index : index + 1].float(), size, align_corners)[:, 0]

    top = resized(0)
    labels = torch.zeros_like(top, dtype=torch.uint8)
    for index in range(1, logits.shape[1]):
        values = resized(index)
        labels.masked_fill_(values > top, index)
        top = torch.maximum(top, values)  # which keeps what is no number
    total = torch.zeros_like(top)
    for index in range(logits.shape[1]):
        total += resized(index).sub_(top).div_(temperature).exp_()
    return labels, total.reciprocal_().clamp_(max=1)
