"""The Lovász-softmax loss (Berman, Triki, Blaschko, CVPR 2018, arXiv 1705.08790)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LovaszSoftmax(nn.Module):
    """A surrogate of 1 - mean IoU over the classes present in a batch.

    For each class the pixels' errors (1 - p if the class is true, else p) are sorted from the
    largest. Each is weighted by how much its pixel adds to 1 - IoU: the Lovász extension of the
    Jaccard loss (sections 2.2 and 3.1 of the paper). The loss is the mean over the classes present,
    as in the paper's training. It needs cross-entropy beside it, or weights trained by it.

    Sorting takes most of the time, so only every ``stride``-th row and column counts, from an
    origin that is drawn for each batch. Computed in float32 or wider, also under autocast. Without
    labels, loss and gradient are 0.

    Args:
        ignore: The label that does not count.
        stride: Distance between the rows, and the columns, that count; in pixels, at least 1.
    """

    def __init__(self, ignore: int = 255, stride: int = 2) -> None:
        super().__init__()
        self.ignore = ignore
        self.stride = stride

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(B, K, H, W) float logits and (B, H, W) int64 train ids to a scalar in [0, 1]."""
        with torch.autocast(logits.device.type, enabled=False):
            top, left = torch.randint(self.stride, (2,)).tolist()
            rows, columns = slice(top, None, self.stride), slice(left, None, self.stride)
            own = labels[:, rows, columns].flatten()
            counted = (own != self.ignore).nonzero().flatten()
            if not len(counted):
                return logits.sum() * 0
            exact = logits[:, :, rows, columns]
            exact = exact.to(torch.promote_types(logits.dtype, torch.float32))
            shares = exact.softmax(1).transpose(0, 1).flatten(1)[:, counted]  # (K, N)
            own = own[counted]
            present = torch.bincount(own).nonzero().flatten()
            losses = [_extend(shares[index], own == index) for index in present.tolist()]
            return torch.stack(losses).mean()


def _extend(share: Tensor, true: Tensor) -> Tensor:
    """The Lovász extension of one class's Jaccard loss: (N,) probabilities, (N,) bool truth."""
    errors, order = (true.to(share.dtype) - share).abs().sort(descending=True)
    hits = true[order].to(share.dtype)
    total = hits.sum()
    # 1 - IoU if the first n pixels are wrong: the union grows by n - hits, the intersection shrinks
    # by hits.
    jaccard = 1 - (total - hits.cumsum(0)) / (total + (1 - hits).cumsum(0))
    weights = torch.diff(jaccard, prepend=jaccard.new_zeros(1))
    return errors @ weights
