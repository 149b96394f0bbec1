"""The Lovász-softmax loss (Berman, Triki, Blaschko, CVPR 2018, arXiv 1705.08790)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LovaszSoftmax(nn.Module):
    """A surrogate of one minus the mean IoU, over the classes that a batch has.

    For a class the errors of all pixels (1 - p where it is true, p where it is not), sorted from
    the largest, are weighed by how much each pixel more adds to one minus the IoU: the Lovász
    extension of the Jaccard loss (sections 2.2 and 3.1). The mean over classes present in the batch
    is what the paper's training uses; cross-entropy beside it or before it is what it needs to
    start from.

    Sorting is what it costs, so only every ``stride``-th row and column counts, from a corner that
    is drawn anew for each batch. Computed in float32 at least, under autocast too. A batch without
    labels has a loss of 0 with zero gradient.

    Args:
        ignore: The label that does not count.
        stride: Distance of the rows and columns that count.
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
    # One minus the IoU when the first n pixels are wrong: n - hits more in the union, hits fewer
    # in the intersection.
    jaccard = 1 - (total - hits.cumsum(0)) / (total + (1 - hits).cumsum(0))
    weights = torch.diff(jaccard, prepend=jaccard.new_zeros(1))
    return errors @ weights
