"""Softmax cross-entropy against sets of classes, weighted pixel by pixel.

What image-weighted cross-entropy and boundary relaxation have in common (METHOD section 4). A
framework's own cross-entropy keeps the logarithm of the softmax, a map as large as the logits and
in float32, from the forward to the backward pass; here only the inputs are kept, and maps of all
classes exist for a band of rows at a time. Shapes: B batch, K classes, H and W pixels, P pixels
whose set is given as a list, M entries of such a list.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

BAND = {"cpu": 2**19}  # logits in a band of rows: what stays in a core's cache
WIDE_BAND = 2**25  # on other devices: few launches, and little beside the logits


class Mixed(NamedTuple):
    """Pixels whose set is not their own class alone.

    Attributes:
        image: (P,) int64, with row and column the place of each, no place twice.
        row: (P,) int64.
        column: (P,) int64.
        members: (M, P) int16 classes.
        belongs: (M, P) bool, the entries that make up the set; no class twice, one at least.
    """

    image: Tensor
    row: Tensor
    column: Tensor
    members: Tensor
    belongs: Tensor

    def entries(self) -> Iterator[tuple[Tensor, tuple[Tensor, Tensor, Tensor, Tensor]]]:
        """For each list position, which pixels have a member there and where its logit is."""
        for members, belongs in zip(self.members, self.belongs, strict=True):
            (some,) = belongs.nonzero(as_tuple=True)
            at = self.image[some], members[some].long(), self.row[some], self.column[some]
            yield some, at


class SetCrossEntropySum(torch.autograd.Function):
    """Sum over pixels of ``weight * -log(sum of the softmax over the pixel's set)``.

    ``apply(logits, own, weight, mixed)``: (B, K, H, W) float logits; (B, H, W) int64, the class
    that is a pixel's set, any class where the weight is 0 or ``mixed`` has the pixel; (B, H, W)
    weights in float32 (float64 for float64 logits); a ``Mixed`` or None. A scalar of the weights'
    type. The weights have no gradient.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, own: Tensor, weight: Tensor, mixed: Mixed | None
    ) -> Tensor:
        """Logarithms of the softmax's denominators band by band, then of what is in the sets."""
        denominator = torch.empty_like(weight)
        for band in _bands(logits):
            torch.logsumexp(logits[:, :, band].to(weight.dtype), 1, out=denominator[:, band])
        likelihood = logits.gather(1, own.unsqueeze(1)).squeeze(1) - denominator
        if mixed is None:
            ctx.save_for_backward(logits, own, weight)
        else:
            numerator = _sum_members(logits, mixed, weight.dtype)
            at = mixed.image, mixed.row, mixed.column
            of_mixed = numerator - denominator[at]
            likelihood[at] = of_mixed
            ctx.save_for_backward(logits, own, weight, numerator, of_mixed)
        ctx.mixed = mixed
        return -(weight * likelihood).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        """softmax - (softmax within the set), rounded to the logits' type after the subtraction."""
        logits, own, weight, *of_mixed = ctx.saved_tensors
        mixed: Mixed | None = ctx.mixed
        weight = weight * upstream
        chosen = torch.full_like(weight, -1.0)
        if mixed is not None:
            chosen[mixed.image, mixed.row, mixed.column] = 0
        gradient = torch.empty_like(logits)
        for band in _bands(logits):
            softmax = torch.softmax(logits[:, :, band], 1, dtype=weight.dtype)
            softmax.scatter_add_(1, own[:, band].unsqueeze(1), chosen[:, band].unsqueeze(1))
            gradient[:, :, band] = softmax.mul_(weight[:, band].unsqueeze(1))
        if mixed is not None:
            numerator, likelihood = of_mixed
            # softmax - softmax within the set = softmax within the set * (S - 1)
            scale = likelihood.expm1() * weight[mixed.image, mixed.row, mixed.column]
            for some, at in mixed.entries():
                within = (logits[at].to(weight.dtype) - numerator[some]).exp_()
                gradient[at] = within.mul_(scale[some]).to(gradient.dtype)
        return gradient, None, None, None


def _sum_members(logits: Tensor, mixed: Mixed, dtype: torch.dtype) -> Tensor:
    """(P,) logarithm of the sum of exp(logit) over each set."""
    total = torch.full_like(mixed.image, -torch.inf, dtype=dtype)
    for some, at in mixed.entries():
        total[some] = torch.logaddexp(total[some], logits[at].to(dtype))
    return total


def _bands(logits: Tensor) -> Iterator[slice]:
    """Rows whose logits, over all images and classes, are few enough for one go."""
    batch, classes, height, width = logits.shape
    budget = BAND.get(logits.device.type, WIDE_BAND)
    rows = max(1, budget // max(1, batch * classes * width))
    for start in range(0, height, rows):
        yield slice(start, start + rows)
