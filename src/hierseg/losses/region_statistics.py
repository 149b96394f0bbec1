"""What Region Mutual Information needs of full-size maps, as differentiable functions.

They save only their inputs and go strip by strip in the layout that the logits have, so that what
is between stays in the cache: written as plain tensor expressions the same takes several times the
time and the memory, and class by class it is slow where channels are last. Shapes: B batch, K
classes, H and W pixels, h and w pooled pixels, M maps, N = (h - 2) * (w - 2) neighbourhoods.
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
STRIP = 2**17  # logits of a strip for each thread of a CPU, and
STRIP_OF_GPU = 2**25  # of one on a GPU, where starting a kernel takes longer than a small strip
ENLARGED = 8  # times a strip's size, where each is made of rows that its neighbours need too
CHUNK = 2**21  # numbers that are unfolded at a time
LINEAR = 40.0  # from here on softplus(x) is x in double precision too


class SigmoidCrossEntropySum(torch.autograd.Function):
    """Sigmoid cross-entropy summed over classes and counted pixels.

    ``apply(logits, own, counted)``: (B, K, H, W) float logits; (B, 1, H, W) int64, the class of
    each pixel, any class where it does not count; (B, H, W) bool. A float64 scalar.
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
    """The same of logits that are resized bilinearly to a whole number of times their size.

    ``apply(logits, own, counted)``: (B, K, h, w) float logits; the others as above, of H = f h and
    W = f w for a whole f. Corners are not aligned. The resized map is made strip by strip and never
    kept, nor is its gradient.
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
        """That of each strip, brought back to the rows that it is made of."""
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
    """The rows that a strip of the resized map is made of, and one more on either side, for only
    beyond these would resizing see that there are no others; and where the strip is in what they
    are resized to.
    """
    factor = counted.shape[-2] // logits.shape[-2]
    image, _, rows = strip.of
    first = max(0, rows.start // factor - 1)
    last = min(-(-rows.stop // factor) + 1, logits.shape[-2])
    inside = slice(rows.start - factor * first, rows.stop - factor * first)
    return (image, slice(None), slice(first, last)), inside


def _enlarge(rows: Tensor, counted: Tensor) -> Tensor:
    """(K, r, w) logits at the columns of ``counted``, and as many times the rows."""
    size = (counted.shape[-1] // rows.shape[-1] * rows.shape[-2], counted.shape[-1])
    return functional.interpolate(rows[None], size=size, mode="bilinear")[0]


class SigmoidStatistics(torch.autograd.Function):
    """That sum, and ``sigmoid(logits) * counted`` average-pooled with pads that count as 0.

    ``apply(logits, own, counted)`` as of ``SigmoidCrossEntropySum``, to its scalar and
    (B, K, h, w) float64.
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
        """Both gradients at once; pixels that no kernel covered have none of the second."""
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
        of: Where they are in (B, K, H, W) maps; they are (K, rows, W) there.
        plain: Where they are in (B, H, W) maps.
        pooled: Where what they are pooled to is in (B, K, h, w) maps.
        pads: Rows of zeros that pooling adds above and below; less than 0 below where the last rows
            of the image are in no kernel.
    """

    of: tuple[int, slice, slice]
    plain: tuple[int, slice]
    pooled: tuple[int, slice, slice]
    pads: tuple[int, int]


def _list_strips(shape: Sequence[int], device: torch.device, times: int = 1) -> Iterator[_Strip]:
    """Of (B, K, H, W) maps, of so many times the usual size."""
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
    """Of (K, rows, W) logits, summed over pixels in float64.

    softplus(x) - x of the own class would be a difference of large numbers where the loss is small;
    softplus(-x) is the same without one, so that classes may be summed in the logits' precision.
    """
    turned = x.scatter(0, own, -x.gather(0, own))
    pixels = functional.softplus(turned, threshold=LINEAR).sum(0)
    return pixels.where(counted, 0).sum(dtype=torch.float64)


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
