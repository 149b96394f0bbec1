"""Cross-entropy over counted pixels (METHOD section 4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hierseg.processes import count_processes, sum_over_processes


class CrossEntropy(nn.Module):
    """Softmax cross-entropy, the mean over counted pixels.

    With several processes the mean of their losses is the mean over the counted pixels of all.
    Computed in float32 or wider, also under autocast. If no pixel counts, as in a crop that is all
    padding, loss and gradient are 0.

    Args:
        ignore: The label that does not count.
    """

    def __init__(self, ignore: int = 255) -> None:
        super().__init__()
        self.ignore = ignore

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(B, K, H, W) float logits and (B, H, W) int64 train ids to a scalar."""
        with torch.autocast(logits.device.type, enabled=False):
            logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
            total = _sum(logits, labels, self.ignore)
            count = sum_over_processes((labels != self.ignore).sum())
            return total * count_processes() / count.clamp(min=1)

    def pixelwise(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of auxiliary and per-scale logits: cross-entropy again (METHOD section 2)."""
        return self.forward(logits, labels)


def _sum(logits: Tensor, labels: Tensor, ignore: int) -> Tensor:
    """Cross-entropy summed over counted pixels, in the logits' own memory layout.

    Torch copies maps with channels last to channels first, which doubles the time on a CPU. As rows
    of pixels they need no copy.
    """
    has_rows = logits.is_contiguous(memory_format=torch.channels_last)
    if logits.device.type == "cpu" and has_rows and not logits.is_contiguous():
        logits, labels = logits.permute(0, 2, 3, 1).flatten(0, 2), labels.flatten()
    return functional.cross_entropy(logits, labels, ignore_index=ignore, reduction="sum")
