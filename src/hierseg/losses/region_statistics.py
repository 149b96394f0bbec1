"""What Region Mutual Information needs of full-size maps, as differentiable functions.

They save only their inputs and go class by class, so that a class's maps stay in the cache: written
as plain tensor expressions the same takes several times the time and the memory. Shapes: B batch,
K classes, H and W pixels, h and w pooled pixels, M maps, N = (h - 2) * (w - 2) neighbourhoods.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

POOL = 4  # kernel and stride of the average pooling, padded by half of it
REGION = 3  # side of a neighbourhood
DIMENSION = REGION * REGION
GROUP = 512  # classes whose factors, each up to 2, are multiplied before one logarithm is taken
CHUNK = 2**21  # numbers that are unfolded at a time


class SigmoidCrossEntropySum(torch.autograd.Function):
    """Sigmoid cross-entropy summed over classes and counted pixels.

    ``apply(logits, own, counted)``: (B, K, H, W) float logits; (B, 1, H, W) int64, the class of
    each pixel, any class where it does not count; (B, H, W) bool. A float64 scalar.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, own: Tensor, counted: Tensor) -> Tensor:
        """Sum of softplus(x) over classes, less x of the own class: no one-hot map is built."""
        ctx.save_for_backward(logits, own, counted)
        # softplus(x) = max(x, 0) + log(1 + exp(-|x|)); logarithms are taken of products, which in
        # float64 keep what a small loss consists of.
        total = logits.gather(1, own).squeeze(1).double().neg_()
        product = torch.ones_like(total)
        for index in range(logits.shape[1]):
            x = logits[:, index]
            total += x.clamp(min=0)
            product *= x.abs().neg_().exp_().double().add_(1)
            if index % GROUP == GROUP - 1:
                total += product.log()
                product.fill_(1)
        total += product.log_()
        return total.where(counted, 0).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        """(sigmoid(x) - one-hot) on counted pixels."""
        logits, own, counted = ctx.saved_tensors
        weight = counted.to(logits.dtype) * upstream.to(logits.dtype)
        gradient = torch.empty_like(logits)
        for index in range(logits.shape[1]):
            gradient[:, index] = logits[:, index].sigmoid().mul_(weight)
        gradient.scatter_add_(1, own, weight.neg_().unsqueeze(1))
        return gradient, None, None


class PooledSigmoid(torch.autograd.Function):
    """``sigmoid(logits) * counted``, average-pooled with pads that count as 0.

    ``apply(logits, counted)``: (B, K, H, W) float and (B, H, W) bool to (B, K, h, w) float64.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, counted: Tensor) -> Tensor:
        """Pool each class in the logits' own precision."""
        ctx.save_for_backward(logits, counted)
        weight = counted.to(logits.dtype)
        pooled = [
            functional.avg_pool2d(x.sigmoid().mul_(weight), POOL, POOL, POOL // 2)
            for x in logits.unbind(1)
        ]
        return torch.stack(pooled, 1).double()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        """Spread each pooled gradient over its pixels; those that no kernel covered have none."""
        logits, counted = ctx.saved_tensors
        weight = counted.to(logits.dtype)
        height, width = logits.shape[-2:]
        shares = (upstream / POOL**2).to(logits.dtype)
        gradient = torch.empty_like(logits)
        before = POOL // 2
        after = [side - (POOL * pooled - before) for side, pooled in
                 ((width, shares.shape[-1]), (height, shares.shape[-2]))]  # fmt: skip
        for index in range(logits.shape[1]):
            spread = shares[:, index].repeat_interleave(POOL, -1).repeat_interleave(POOL, -2)
            spread = functional.pad(spread, (-before, after[0], -before, after[1]))
            probability = logits[:, index].sigmoid()
            spread *= weight * probability * (1 - probability)
            gradient[:, index] = spread
        return gradient, None


class JointScatter(torch.autograd.Function):
    """Scatter of all 3x3 neighbourhoods as vectors, [prediction, truth], about their means.

    ``apply(predicted, truth)``: two (M, h, w) float64 to (M, 18, 18), sums over the N valid
    positions. Differentiable in the prediction.
    """

    @staticmethod
    def forward(ctx: Any, predicted: Tensor, truth: Tensor) -> Tensor:
        """Chunk by chunk, vectors being made and dropped."""
        ctx.save_for_backward(predicted, truth)
        scatter = []
        for chunk in _chunks(predicted):
            vectors = _unfold(predicted[chunk], truth[chunk])
            scatter.append(vectors @ vectors.mT)
        return torch.cat(scatter)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        """(G + G^T) times the vectors, folded back."""
        predicted, truth = ctx.saved_tensors
        weights = (upstream + upstream.mT)[:, :DIMENSION]
        gradient = torch.zeros_like(predicted)
        height, width = (side - REGION + 1 for side in predicted.shape[-2:])
        for chunk in _chunks(predicted):
            vectors = _unfold(predicted[chunk], truth[chunk])
            parts = (weights[chunk] @ vectors).view(-1, DIMENSION, height, width)
            for index in range(DIMENSION):
                row, column = divmod(index, REGION)
                target = gradient[chunk, row : row + height, column : column + width]
                target += parts[:, index]
        return gradient, None


def _chunks(maps: Tensor) -> list[slice]:
    step = max(1, CHUNK // (2 * DIMENSION * maps[0].numel()))
    return [slice(start, start + step) for start in range(0, len(maps), step)]


def _unfold(predicted: Tensor, truth: Tensor) -> Tensor:
    """Two (M, h, w) to (M, 18, N), each row less its mean."""
    count, height, width = predicted.shape
    height, width = height - REGION + 1, width - REGION + 1
    vectors = predicted.new_empty(count, 2 * DIMENSION, height, width)
    for index in range(DIMENSION):
        row, column = divmod(index, REGION)
        for offset, maps in ((0, predicted), (DIMENSION, truth)):
            window = maps[:, row : row + height, column : column + width]
            vectors[:, offset + index] = window
    vectors = vectors.flatten(2)
    vectors -= vectors.mean(-1, keepdim=True)
    return vectors
