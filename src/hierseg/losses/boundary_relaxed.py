"""Boundary label relaxation (VPLR, arXiv 1812.01593; METHOD section 4).

Shapes: B batch, K classes, H and W pixels, P pixels beside a border.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hierseg.losses.label_sets import count_classes, count_members, find_mixed, touches_border
from hierseg.losses.set_likelihood import Mixed, SetCrossEntropySum
from hierseg.losses.sums import sum_over_images


class BoundaryRelaxedLoss(nn.Module):
    """Boundary label relaxation: near a border any class within a window is right.

    A pixel's set holds the classes within ``window`` pixels of it. Ignore is left out, and pixels
    outside the image count as ignore. The pixel's loss is ``-log(sum of the softmax over the set)``
    times the mean weight of the classes in the set. A class weighs ``1 + bound * (1 - share)``; its
    share is its part of all memberships in the image, those in ignore included. An image's loss is
    the sum over its pixels that have a set, over their number plus 1. The images' losses are
    summed, as published: a batch of two has twice the loss of one.

    Epoch ``relax_until`` (``set_epoch``) is the last relaxed one. After it the set is the pixel's
    own label, and a pixel with two labels in its 3x3 neighbourhood counts twice.

    An image without labels has no loss and no gradient. Computed in float32 or wider, also under
    autocast. Keeps no map as large as the logits; only pixels beside a border cost more than in
    cross-entropy.

    Args:
        ignore: The label that does not count.
        window: Radius of the window in pixels, at least 0; published: 1.
        strict: Classes whose pixels keep their own label alone.
        bound: Largest weight above 1.
        relax_until: The last relaxed epoch, counted from 0; -1 for none, None for all.
        images: Scale the sum over a step's images, of all processes, to so many; None for no
            scaling.
    """

    def __init__(
        self,
        ignore: int = 255,
        window: int = 1,
        strict: Sequence[int] = (),
        bound: float = 1.0,
        relax_until: int | None = None,
        images: int | None = None,
    ) -> None:
        super().__init__()
        self.ignore = ignore
        self.window = window
        self.strict = tuple(strict)
        self.bound = bound
        self.relax_until = relax_until
        self.images = images
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, counted from 0, that the following losses belong to."""
        self.relaxes = self.relax_until is None or epoch <= self.relax_until

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(B, K, H, W) float logits and (B, H, W) int64 train ids to a scalar."""
        num_classes = logits.shape[1]
        with torch.autocast(logits.device.type, enabled=False):
            counted = labels != self.ignore
            classes = labels.where(counted, num_classes).to(torch.int16)
            window = self.window if self.relaxes else 0
            mixed = find_mixed(classes, num_classes, window, self.strict)
            dtype = torch.promote_types(logits.dtype, torch.float32)
            weights = self._weigh_classes(classes, mixed, num_classes, dtype)
            pixels = weights.gather(1, classes.flatten(1).long()).view(classes.shape)
            if not self.relaxes:
                pixels *= 1 + touches_border(classes, num_classes).to(dtype)
            own = labels.where(counted, 0)
            loss: Tensor = SetCrossEntropySum.apply(logits, own, pixels, mixed, weights[:, :-1])
            return sum_over_images(loss, len(labels), self.images)

    def pixelwise(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of auxiliary and per-scale logits: this loss again, as with cross-entropy
        (METHOD section 2), since their labels are as uncertain near a border.
        """
        return self.forward(logits, labels)

    def _weigh_classes(
        self, classes: Tensor, mixed: Mixed, num_classes: int, dtype: torch.dtype
    ) -> Tensor:
        """(B, K + 1) weights over the images' divisors; 0 for ignore, the last class."""
        single = torch.ones(classes.shape, dtype=torch.bool, device=classes.device)
        single.flatten(1)[mixed.image, mixed.position] = False
        counts = count_classes(classes, single, num_classes + 1)
        # A mixed pixel has two labels, so at least one is not ignore.
        divisors = counts[:, :-1].sum(1) + mixed.image.bincount(minlength=len(classes)) + 1
        counts += count_members(mixed, len(classes), num_classes + 1)
        shares = counts.to(dtype) / counts.sum(1, keepdim=True)
        weights = (1 + self.bound * (1 - shares)) / divisors[:, None]
        weights[:, -1] = 0
        return weights
