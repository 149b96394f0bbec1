"""The Lovász-softmax loss (Berman, Triki, Blaschko, CVPR 2018, arXiv 1705.08790)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


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
            grid = slice(top, None, self.stride), slice(left, None, self.stride)
            own = labels[:, *grid].flatten()
            counted = (own != self.ignore).nonzero().flatten()
            if not len(counted):
                return logits.sum() * 0
            exact: Tensor = _TakeGrid.apply(logits, grid)
            exact = exact.to(torch.promote_types(logits.dtype, torch.float32))
            shares = exact.softmax(1).transpose(0, 1).flatten(1)
            shares = shares.index_select(1, counted)  # (K, N)
            own = own[counted]
            present = torch.bincount(own).nonzero().flatten()
            losses = [_extend(shares[index], own == index) for index in present.tolist()]
            return torch.stack(losses).mean()


class _TakeGrid(torch.autograd.Function):
    """Some rows and columns of (B, K, H, W); the gradient keeps the layout of what is taken from.

    Slicing twice gives a gradient for each slice, and in one layout whatever the logits have.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, grid: tuple[slice, slice]) -> Tensor:
        """(B, K, h, w)."""
        ctx.grid = grid
        ctx.save_for_backward(logits)
        return logits[:, :, *grid].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        """(B, K, H, W), 0 where nothing was taken."""
        (logits,) = ctx.saved_tensors
        gradient = torch.zeros_like(logits)
        gradient[:, :, *ctx.grid] = upstream
        return gradient, None


def _extend(share: Tensor, true: Tensor) -> Tensor:
    """The Lovász extension of one class's Jaccard loss: (N,) probabilities, (N,) bool truth."""
    errors = (true.to(share.dtype) - share).abs()
    order = _sort_down(errors.detach())
    errors, hits = errors.index_select(0, order), true[order].to(share.dtype)
    total = hits.sum()
    # 1 - IoU if the first n pixels are wrong: the union grows by n - hits, the intersection shrinks
    # by hits.
    jaccard = 1 - (total - hits.cumsum(0)) / (total + (1 - hits).cumsum(0))
    weights = torch.diff(jaccard, prepend=jaccard.new_zeros(1))
    return errors @ weights


def _sort_down(values: Tensor) -> Tensor:
    """Indices of (N,) numbers that are not negative, the largest first.

    On CPUs torch sorts integers by their digits, in a fourth of the time that it takes to compare
    floats; floats that are not negative are in the order of their bits.
    """
    if values.device.type != "cpu":
        return values.argsort(descending=True)
    bits = values.view(torch.int32 if values.dtype == torch.float32 else torch.int64)
    return (-bits).argsort()
