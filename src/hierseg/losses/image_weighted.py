"""Image-weighted cross-entropy (VPLR, arXiv 1812.01593; METHOD section 4)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from hierseg.losses.label_sets import count_classes
from hierseg.losses.set_likelihood import SetCrossEntropySum
from hierseg.losses.sums import sum_over_images

Weighting = Literal["share", "inverse"]


class ImageWeightedCrossEntropy(nn.Module):
    """Cross-entropy in which rarer classes of the image weigh more.

    With h_c the share of class c among an image's counted pixels, a pixel of class c weighs
    ``1 + bound * (1 - h_c)``, or ``1 + bound / h_c`` by the inverse weighting. The loss of an image
    is the weighted mean over its counted pixels; without any, loss and gradient are 0. The images'
    losses are summed, as published: a batch of two has twice the loss of one. With ``by_batch``,
    h_c is the class's share among the counted pixels of all images of the call, which are those of
    one process; the mean is still taken image by image.

    Computed in float32 or wider, also under autocast. Keeps no map as large as the logits.

    Args:
        ignore: The label that does not count.
        bound: Largest weight above 1 by share, and the factor of 1 / h_c by the inverse.
        weighting: "share" or "inverse".
        images: Scale the sum over a step's images, of all processes, to so many; None for no
            scaling.
        by_batch: Weigh classes by their shares in the batch instead of in each image.
    """

    def __init__(
        self,
        ignore: int = 255,
        bound: float = 1.0,
        weighting: Weighting = "share",
        images: int | None = None,
        by_batch: bool = False,
    ) -> None:
        super().__init__()
        self.ignore = ignore
        self.bound = bound
        self.weighting = weighting
        self.images = images
        self.by_batch = by_batch

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(B, K, H, W) float logits and (B, H, W) int64 train ids to a scalar."""
        with torch.autocast(logits.device.type, enabled=False):
            counted = labels != self.ignore
            own = labels.where(counted, 0)
            counts = count_classes(own, counted, logits.shape[1])
            counts = counts.to(torch.promote_types(logits.dtype, torch.float32))
            among = counts.sum(0, keepdim=True) if self.by_batch else counts
            weights = weigh_classes(among, self.weighting, self.bound)
            pixels = spread_weights(weights, counts, own) * counted
            loss: Tensor = SetCrossEntropySum.apply(logits, own, pixels, None, None)
            return sum_over_images(loss, len(labels), self.images)

    def pixelwise(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of auxiliary and per-scale logits: this loss again, as with cross-entropy
        (METHOD section 2), so that all terms are sums over images.
        """
        return self.forward(logits, labels)


def weigh_classes(counts: Tensor, weighting: Weighting, bound: float) -> Tensor:
    """(B, K) float counts of pixels to weights of classes; absent ones have 1, not used by any."""
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    excess = 1 - shares if weighting == "share" else 1 / shares
    return (1 + bound * excess).where(counts > 0, 1.0)


def spread_weights(weights: Tensor, counts: Tensor, classes: Tensor) -> Tensor:
    """The weights of pixels, which sum to 1 over the counted ones of an image.

    Args:
        weights: (B, K) float of the classes, or (1, K).
        counts: (B, K) float, the counted pixels of each class.
        classes: (B, H, W) int64 in [0, K).
    """
    weights = weights / (weights * counts).sum(1, keepdim=True).clamp(min=1)
    return weights.gather(1, classes.flatten(1)).view(classes.shape)
