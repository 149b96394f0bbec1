"""Softmax cross-entropy against sets of classes, weighted pixel by pixel.

Image-weighted cross-entropy and boundary relaxation share this (METHOD section 4). Torch's
cross-entropy keeps the logarithm of the softmax, a float32 map as large as the logits, from the
forward to the backward pass. Here only the inputs are kept, and maps of all classes exist for one
band of rows at a time. Shapes: B batch, K classes, H and W pixels, P pixels whose set is given as a
list, M entries of such a list.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

BAND = {"cpu": 2**19}  # logits in a band of rows that stays in a core's cache
WIDE_BAND = 2**25  # on other devices: few kernel launches, and little memory beside the logits


class Mixed(NamedTuple):
    """Pixels whose set is not their own class alone, image after image.

    Attributes:
        image: (P,) int64 index of the image, in ascending order.
        position: (P,) int64 index of the pixel in the image, row by row; no pixel occurs twice.
        members: (M, P) int16 classes of the set, in any order, repeated or not; K for no class.
            Each set has at least one class.
    """

    image: Tensor
    position: Tensor
    members: Tensor

    def bands(self, num_classes: int) -> Iterator[tuple[int, slice]]:
        """Images, and ranges of their pixels small enough for maps of all classes."""
        pixels = max(1, _budget(self.image.device) // num_classes)
        end = 0
        for image, count in enumerate(self.image.bincount().tolist()):
            start, end = end, end + count
            for first in range(start, end, pixels):
                yield image, slice(first, min(first + pixels, end))

    def memberships(self, band: slice, num_classes: int) -> Tensor:
        """(num_classes, p) bool: which classes the sets of a range of pixels hold."""
        members = self.members[:, band].long()
        shape = num_classes, members.shape[1]
        table = torch.zeros(shape, dtype=torch.bool, device=members.device)
        # Scattering a tensor of ones takes half the time of scattering a number.
        return table.scatter_(0, members, torch.ones_like(table[:1]).expand(members.shape))


class SetCrossEntropySum(torch.autograd.Function):
    """Sum over pixels of ``weight * -log(sum of the softmax over the pixel's set)``.

    ``apply(logits, own, weight, mixed, class_weight)`` takes

    - (B, K, H, W) float logits;
    - (B, H, W) int64, the one class of a pixel's set; any class if the weight is 0 or the pixel is
      in ``mixed``;
    - (B, H, W) weights in float32 (float64 for float64 logits);
    - a ``Mixed`` or None;
    - (B, K) weights of classes; their mean over its set is the weight of a pixel in ``mixed``.

    Returns a scalar of the weights' type. The weights have no gradient.
    """

    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        own: Tensor,
        weight: Tensor,
        mixed: Mixed | None,
        class_weight: Tensor | None,
    ) -> Tensor:
        """Logarithms of the softmax's denominators band by band, then those of the sets' sums."""
        denominator = torch.empty_like(weight)
        for band in _bands(logits):
            torch.logsumexp(logits[:, :, band].to(weight.dtype), 1, out=denominator[:, band])
        likelihood = logits.gather(1, own.unsqueeze(1)).squeeze(1) - denominator
        if mixed is not None and class_weight is not None:
            numerator, mean_weight = _gather_sets(logits, mixed, class_weight)
            at = mixed.image, mixed.position
            numerator -= denominator.flatten(1)[at]
            likelihood = likelihood.flatten(1).index_put(at, numerator).view_as(weight)
            weight = weight.flatten(1).index_put(at, mean_weight).view_as(weight)
        ctx.save_for_backward(logits, own, weight)
        ctx.mixed = mixed
        return 0 - (weight * likelihood).sum()  # where nothing counts, 0 and not -0

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None, None]:
        """softmax - (softmax within the set), rounded to the logits' type after the subtraction."""
        logits, own, weight = ctx.saved_tensors
        weight = weight * upstream
        # In the logits' layout, or a resize's backward takes twice as long; pixels stay one row.
        last = logits.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last else torch.contiguous_format
        gradient = torch.empty_like(logits, memory_format=layout)
        minus_one = torch.full((), -1.0, dtype=weight.dtype, device=weight.device)
        for band in _bands(logits):
            softmax = torch.softmax(logits[:, :, band], 1, dtype=weight.dtype)
            at = own[:, band].unsqueeze(1)
            softmax.scatter_add_(1, at, minus_one.expand(at.shape))
            gradient[:, :, band] = softmax.mul_(weight[:, band].unsqueeze(1))
        if ctx.mixed is not None:
            _spread_sets(gradient, logits, weight, ctx.mixed)
        return gradient, None, None, None, None


def _gather_sets(logits: Tensor, mixed: Mixed, class_weight: Tensor) -> tuple[Tensor, Tensor]:
    """(P,) log of the sum of exp(logit) over each set, and (P,) mean weight of its classes."""
    num_classes, dtype = logits.shape[1], class_weight.dtype
    numerator = torch.empty_like(mixed.image, dtype=dtype)
    mean_weight = torch.empty_like(numerator)
    planes = logits.flatten(2)
    for image, band in mixed.bands(num_classes):
        belongs = mixed.memberships(band, num_classes + 1)[:-1]
        x = planes[image].index_select(1, mixed.position[band]).to(dtype)
        torch.logsumexp(x.masked_fill_(~belongs, -torch.inf), 0, out=numerator[band])
        members = belongs.to(dtype)
        mean_weight[band] = (class_weight[image] @ members).div_(members.sum(0))
    return numerator, mean_weight


def _spread_sets(gradient: Tensor, logits: Tensor, weight: Tensor, mixed: Mixed) -> None:
    """Write the gradient of the mixed pixels in place."""
    num_classes = logits.shape[1]
    planes, weights, target = logits.flatten(2), weight.flatten(1), gradient.flatten(2)
    for image, band in mixed.bands(num_classes):
        position = mixed.position[band]
        belongs = mixed.memberships(band, num_classes + 1)[:-1]
        x = planes[image].index_select(1, position).to(weight.dtype)
        difference = x.softmax(0)
        difference -= x.masked_fill_(~belongs, -torch.inf).softmax(0)
        difference *= weights[image, position]
        target[image].scatter_(1, position.expand_as(x), difference.to(gradient.dtype))


def _budget(device: torch.device) -> int:
    return BAND.get(device.type, WIDE_BAND)


def _bands(logits: Tensor) -> Iterator[slice]:
    """Bands of rows whose logits, over all images and classes, are few enough at a time."""
    batch, classes, height, width = logits.shape
    rows = max(1, _budget(logits.device) // max(1, batch * classes * width))
    for start in range(0, height, rows):
        yield slice(start, start + rows)
