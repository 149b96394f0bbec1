"""Region Mutual Information (Zhao et al., arXiv 1910.12037; METHOD section 4).

Shapes: B batch, K classes, H and W pixels, h and w pooled pixels, N neighbourhoods.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hierseg.losses.region_statistics import (
    DIMENSION,
    POOL,
    REGION,
    EnlargedCrossEntropySum,
    JointScatter,
    SigmoidCrossEntropySum,
    SigmoidStatistics,
)
from hierseg.losses.sums import WHOLE, Share
from hierseg.processes import count_processes, sum_over_processes

FLOOR = 1e-6  # added to probabilities
REGULARIZER = 5e-4  # added to the diagonals
LOG_FLOOR = 1e-8  # added inside the logarithm
# Diagonals added in turn when a factorisation fails, relative to the matrix' mean diagonal.
GROWING_DIAGONAL = (1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2)


class RegionMutualInformation(nn.Module):
    """(1 - weight) * BCE + weight * RMI over counted pixels; rightly negative at times.

    Never raises, and never makes NaN of finite logits. A failed factorisation is repeated with a
    growing diagonal; if that fails too, the loss of that call is its BCE, and ``fallbacks`` counts
    it. If one of several processes falls back, all do; the mean of their losses is the loss. Logits
    may have any float type, also under autocast; statistics are computed in float64.

    Args:
        ignore: The label that does not count.
        weight: Share of the region term (lambda, published: 0.5).
    """

    def __init__(self, ignore: int = 255, weight: float = 0.5) -> None:
        super().__init__()
        self.ignore = ignore
        self.weight = weight
        self.fallbacks = 0

    def forward(self, logits: Tensor, labels: Tensor, share: Share = WHOLE) -> Tensor:
        """(B, K, H, W) float logits and (B, H, W) int64 train ids to a scalar.

        With a ``share`` of a larger step, the BCE is weighted by pixels, the region term by images.
        """
        with torch.autocast(logits.device.type, enabled=False):
            logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
            counted = labels != self.ignore
            own = labels.where(counted, 0).unsqueeze(1)
            total, pooled = SigmoidStatistics.apply(logits, own, counted)
            bce = self._mean(total, counted).to(logits.dtype) * share.pixels
            region = self._region_term(pooled, labels, counted)
        failed = torch.tensor(int(region is None), device=logits.device)
        failed = sum_over_processes(failed)  # every process takes part, failed or not
        if region is None or (count_processes() > 1 and bool(failed)):
            self.fallbacks += 1
            return bce
        return (1 - self.weight) * bce + self.weight * region.to(bce.dtype) * share.images

    def bce(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Sigmoid cross-entropy summed over classes and counted pixels, over (those pixels + 1).

        If the labels are a whole number of times as large as the logits, these are resized to them
        (corners not aligned) without keeping the resized map.
        """
        with torch.autocast(logits.device.type, enabled=False):
            logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
            counted = labels != self.ignore
            own = labels.where(counted, 0).unsqueeze(1)
            is_small = logits.shape[-2:] != labels.shape[-2:]
            kind = EnlargedCrossEntropySum if is_small else SigmoidCrossEntropySum
            total: Tensor = kind.apply(logits, own, counted)
            return self._mean(total, counted).to(logits.dtype)

    def pixelwise(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of auxiliary and per-scale logits: the BCE, factor 1 (METHOD section 2)."""
        return self.bce(logits, labels)

    def _mean(self, total: Tensor, counted: Tensor) -> Tensor:
        """A sum over the counted pixels, over (those of all processes + 1)."""
        return total * count_processes() / (sum_over_processes(counted.sum()) + 1)

    def _region_term(self, pooled: Tensor, labels: Tensor, counted: Tensor) -> Tensor | None:
        """RMI, mean over batch and sum over classes; None if it cannot be computed."""
        if min(pooled.shape[-2:]) < REGION:  # too small for one neighbourhood
            return None
        truth = pool_labels(labels, counted, pooled.shape[1])
        predicted = pooled + FLOOR * _pool_ones(labels)
        factor = factorise(joint_scatter(predicted, truth))
        if factor is None:
            return None
        # With the prediction first, the lower right block of the joint scatter's Cholesky factor is
        # the factor of M + 5e-4 I, M = S_yy - S_yp (S_pp + 5e-4 I)^-1 S_yp^T: no inverse is needed.
        diagonal = factor[..., DIMENSION:, DIMENSION:].diagonal(dim1=-2, dim2=-1)
        log_determinant = 2 * (diagonal + LOG_FLOOR).log().sum(-1)
        return (0.5 * log_determinant / DIMENSION).mean(0).sum()


def pool_labels(labels: Tensor, counted: Tensor, num_classes: int) -> Tensor:
    """Average-pooled one-hot labels, (B, K, h, w) float64, without the one-hot map."""
    batch, height, width = labels.shape
    pooled_height, pooled_width = height // POOL + 1, width // POOL + 1
    device = labels.device
    rows = (torch.arange(height, device=device) + POOL // 2) // POOL
    columns = (torch.arange(width, device=device) + POOL // 2) // POOL
    inside = (rows < pooled_height)[:, None] & (columns < pooled_width)
    images = torch.arange(batch, device=device)[:, None, None] * num_classes
    cells = ((images + labels) * pooled_height + rows[:, None]) * pooled_width + columns
    size = batch * num_classes * pooled_height * pooled_width
    counts = torch.bincount(cells[counted & inside], minlength=size)
    return (counts.double() / POOL**2).view(batch, num_classes, pooled_height, pooled_width)


def _pool_ones(labels: Tensor) -> Tensor:
    """(1, h, w) float64: a map of ones, pooled; the padding counts as 0."""
    ones = torch.ones(1, *labels.shape[-2:], dtype=torch.float64, device=labels.device)
    return functional.avg_pool2d(ones, POOL, POOL, POOL // 2)


def joint_scatter(predicted: Tensor, truth: Tensor) -> Tensor:
    """(B, K, 18, 18) scatter matrix of [prediction, truth], summed over positions, plus 5e-4 I."""
    scatter: Tensor = JointScatter.apply(predicted.flatten(0, 1), truth.flatten(0, 1))
    identity = torch.eye(2 * DIMENSION, dtype=scatter.dtype, device=scatter.device)
    return (scatter + REGULARIZER * identity).view(*truth.shape[:2], *identity.shape)


def factorise(matrices: Tensor) -> Tensor | None:
    """Lower Cholesky factors of (..., n, n), with a growing diagonal where they fail; None if that
    fails too.
    """
    factor: Tensor
    factor, failed = torch.linalg.cholesky_ex(matrices)
    if not failed.any() and bool(factor.isfinite().all()):
        return factor
    scale = matrices.detach().diagonal(dim1=-2, dim2=-1).abs().mean(-1)[..., None, None]
    identity = torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
    for share in GROWING_DIAGONAL:
        grown = matrices + share * scale * identity * (failed > 0)[..., None, None]
        factor, still_failed = torch.linalg.cholesky_ex(grown)
        if not still_failed.any() and bool(factor.isfinite().all()):
            return factor
    return None
