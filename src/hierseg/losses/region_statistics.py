"""Statistics of full-size maps for Region Mutual Information, as differentiable functions.

They save only their inputs and work strip by strip in the logits' own memory layout, so that
intermediate values stay in the cache. Plain tensor expressions take several times the time and
memory; class by class is slow with channels last. Shapes: B batch, K classes, H and W pixels, h and
w pooled pixels, M maps, N = (h - 2) * (w - 2) neighbourhoods.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

POOL = 4  # kernel and stride of the average pooling, padded by half of it
REGION = 3  # side of a neighbourhood
DIMENSION = REGION * REGION
STRIP = 2**17  # logits of a strip, for each thread of a CPU
STRIP_OF_GPU = 2**25  # logits of a strip on a GPU, where launching a kernel costs more than a strip
ENLARGED = 8  # a resized map's strips are so many times as large, since neighbours share rows
CHUNK = 2**21  # numbers that are unfolded at a time
LINEAR = 40.0  # softplus(x) equals x from here on, in double precision too


class SigmoidCrossEntropySum(torch.autograd.Function):
    """Sigmoid cross-entropy summed over classes and counted pixels.

    ``apply(logits, own, counted)``: (B, K, H, W) float logits; (B, 1, H, W) int64, the class of
    each pixel (any class if it does not count); (B, H, W) bool. Returns a float64 scalar.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, own: Tensor, counted: Tensor) -> Tensor:
        """Sum of softplus(x) over the other classes, and of softplus(-x) of the own class."""
        ctx.save_for_backward(logits, own, counted)
        sums = [
            _sum_cross_entropy(logits[strip.of], own[strip.of], counted[strip.plain])
            for strip in _list_strips(logits.shape, logits.device)
        ]
        return torch.stack(sums).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        """(sigmoid(x) - one-hot) on counted pixels."""
        logits, own, counted = ctx.saved_tensors
        gradient = torch.empty_like(logits)
        for strip in _list_strips(logits.shape, logits.device):
            weight = counted[strip.plain].to(logits.dtype) * upstream.to(logits.dtype)
            part = torch.sigmoid(logits[strip.of], out=gradient[strip.of])
            part *= weight
            part.scatter_add_(0, own[strip.of], weight.neg_()[None])
        return gradient, None, None


class EnlargedCrossEntropySum(torch.autograd.Function):
    """The same sum for logits resized bilinearly to a whole number of times their size.

    ``apply(logits, own, counted)``: (B, K, h, w) float logits; the others as above, with H = f h
    and W = f w for a whole f. Corners are not aligned. The resized map is computed strip by strip
    and never kept; nor is its gradient.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, own: Tensor, counted: Tensor) -> Tensor:
        """Sum over strips of the resized map."""
        ctx.save_for_backward(logits, own, counted)
        shape = (*logits.shape[:2], *counted.shape[-2:])
        sums = []
        for strip in _list_strips(shape, logits.device, ENLARGED):
            source, inside = _find_source(strip, logits, counted)
            enlarged = _enlarge(logits[source], counted)[:, inside]
            sums.append(_sum_cross_entropy(enlarged, own[strip.of], counted[strip.plain]))
        return torch.stack(sums).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        """Each strip's gradient, propagated to the rows that the strip was resized from."""
        logits, own, counted = ctx.saved_tensors
        gradient = torch.zeros_like(logits)
        shape = (*logits.shape[:2], *counted.shape[-2:])
        for strip in _list_strips(shape, logits.device, ENLARGED):
            source, inside = _find_source(strip, logits, counted)
            enlarged = _enlarge(logits[source], counted)
            weight = counted[strip.plain].to(logits.dtype) * upstream.to(logits.dtype)
            part = enlarged[:, inside].sigmoid_().mul_(weight)
            part.scatter_add_(0, own[strip.of], weight.neg_()[None])
            enlarged[:, : inside.start] = 0
            enlarged[:, inside.stop :] = 0
            rows = (1, *gradient[source].shape)
            gradient[source] += torch.ops.aten.upsample_bilinear2d_backward(
                enlarged[None], enlarged.shape[-2:], rows, False
            )[0]
        return gradient, None, None


def _find_source(
    strip: _Strip, logits: Tensor, counted: Tensor
) -> tuple[tuple[int, slice, slice], slice]:
    """The rows that a strip of the resized map is resized from, with one more on either side, since
    resizing treats the outermost rows as the map's edge; and the strip's place in the result.
    """
    factor = counted.shape[-2] // logits.shape[-2]
    image, _, rows = strip.of
    first = max(0, rows.start // factor - 1)
    last = min(-(-rows.stop // factor) + 1, logits.shape[-2])
    inside = slice(rows.start - factor * first, rows.stop - factor * first)
    return (image, slice(None), slice(first, last)), inside


def _enlarge(rows: Tensor, counted: Tensor) -> Tensor:
    """(K, r, w) logits resized to the columns of ``counted``, and rows by the same factor."""
    size = (counted.shape[-1] // rows.shape[-1] * rows.shape[-2], counted.shape[-1])
    return functional.interpolate(rows[None], size=size, mode="bilinear")[0]


class SigmoidStatistics(torch.autograd.Function):
    """The sum of ``SigmoidCrossEntropySum``, and ``sigmoid(logits) * counted`` average-pooled; the
    padding counts as 0.

    ``apply(logits, own, counted)`` takes the same arguments. Returns the scalar and (B, K, h, w)
    float64.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, own: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
        """Pool in the logits' own precision."""
        ctx.save_for_backward(logits, own, counted)
        height, width = (side // POOL + 1 for side in logits.shape[-2:])
        pooled = logits.new_empty((*logits.shape[:2], height, width), dtype=torch.float64)
        sums = []
        for strip in _list_strips(logits.shape, logits.device):
            x, is_counted = logits[strip.of], counted[strip.plain]
            sums.append(_sum_cross_entropy(x, own[strip.of], is_counted))
            probability = functional.pad(x.sigmoid().mul_(is_counted), (0, 0, *strip.pads))
            pooled[strip.pooled] = functional.avg_pool2d(
                probability[None], POOL, POOL, (0, POOL // 2)
            )[0]
        return torch.stack(sums).sum(), pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_sum: Tensor, of_pooled: Tensor) -> tuple[Tensor, None, None]:
        """Both gradients at once; pixels outside every pooling window have no second one."""
        logits, own, counted = ctx.saved_tensors
        shares = (of_pooled / POOL**2).to(logits.dtype)
        before = POOL // 2
        after = logits.shape[-1] - (POOL * shares.shape[-1] - before)
        gradient = torch.empty_like(logits)
        for strip in _list_strips(logits.shape, logits.device):
            is_counted = counted[strip.plain].to(logits.dtype)
            weight = is_counted * of_sum.to(logits.dtype)
            part = torch.sigmoid(logits[strip.of], out=gradient[strip.of])
            spread = shares[strip.pooled].repeat_interleave(POOL, -1)
            spread = functional.pad(spread, (-before, after)).repeat_interleave(POOL, -2)
            spread = functional.pad(spread, (0, 0, -strip.pads[0], -strip.pads[1]))
            # sigmoid * (weight + spread * counted * (1 - sigmoid))
            spread = (1 - part).mul_(is_counted).mul_(spread).add_(weight)
            part *= spread
            part.scatter_add_(0, own[strip.of], weight.neg_()[None])
        return gradient, None, None


class _Strip(NamedTuple):
    """Rows of one image that belong to whole rows of the pooled map.

    Attributes:
        of: Their index in (B, K, H, W) maps, which gives (K, rows, W).
        plain: Their index in (B, H, W) maps.
        pooled: The index of their pooled rows in (B, K, h, w) maps.
        pads: Rows of zeros that pooling adds above and below; negative below if the last rows of
            the image are in no pooling window.
    """

    of: tuple[int, slice, slice]
    plain: tuple[int, slice]
    pooled: tuple[int, slice, slice]
    pads: tuple[int, int]


def _list_strips(shape: Sequence[int], device: torch.device, times: int = 1) -> Iterator[_Strip]:
    """The strips of (B, K, H, W) maps, each ``times`` as large as usual."""
    batch, classes, height, width = shape
    on_cpu = device.type == "cpu"
    numbers = times * STRIP * torch.get_num_threads() if on_cpu else STRIP_OF_GPU
    rows = height // POOL + 1
    step = max(1, numbers // (POOL * classes * width))
    for image in range(batch):
        for first in range(0, rows, step):
            last = min(first + step, rows)
            begin, end = POOL * first - POOL // 2, POOL * last - POOL // 2
            inside = slice(max(begin, 0), height if last == rows else end)
            yield _Strip(
                (image, slice(None), inside),
                (image, inside),
                (image, slice(None), slice(first, last)),
                (inside.start - begin, end - inside.stop),
            )


def _sum_cross_entropy(x: Tensor, own: Tensor, counted: Tensor) -> Tensor:
    """Sigmoid cross-entropy of (K, rows, W) logits, summed over pixels in float64.

    For the own class softplus(-x) replaces softplus(x) - x, which is a difference of large numbers
    if the loss is small. So classes may be summed in the logits' precision.
    """
    turned = x.scatter(0, own, -x.gather(0, own))
    pixels = functional.softplus(turned, threshold=LINEAR).sum(0)
    return pixels.where(counted, 0).sum(dtype=torch.float64)


class JointScatter(torch.autograd.Function):
    """Scatter matrix of all 3x3 neighbourhoods as vectors [prediction, truth], less their means.

    ``apply(predicted, truth)``: two (M, h, w) float64 to (M, 18, 18), summed over the N valid
    positions. Only the prediction has a gradient.
    """

    @staticmethod
    def forward(ctx: Any, predicted: Tensor, truth: Tensor) -> Tensor:
        """Chunk by chunk; the vectors are not kept."""
        ctx.save_for_backward(predicted, truth)
        scatter = []
        for chunk in _chunks(predicted):
            vectors = _unfold(predicted[chunk], truth[chunk])
            scatter.append(vectors @ vectors.mT)
        return torch.cat(scatter)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        """(G + G^T) times the vectors, folded back to maps."""
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
    """Two (M, h, w) to (M, 18, N); each row has its mean subtracted."""
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
