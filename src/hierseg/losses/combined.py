"""The training loss: main, auxiliary and per-scale terms (METHOD section 2, "Training loss")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from hierseg.layers import resize_to
from hierseg.losses.boundary_relaxed import BoundaryRelaxedLoss
from hierseg.losses.image_weighted import ImageWeightedCrossEntropy
from hierseg.losses.lovasz import LovaszSoftmax
from hierseg.losses.region_mutual_information import RegionMutualInformation
from hierseg.losses.sums import WHOLE, Share, sum_over_images


class Criterion(Protocol):
    """A loss of logits against labels, and its simpler form for auxiliary and per-scale logits."""

    ignore: int
    """The label that does not count."""

    def __call__(self, logits: Tensor, labels: Tensor, /) -> Tensor:
        """(B, K, H, W) float logits and (B, H, W) int64 train ids to a scalar."""
        ...

    def pixelwise(self, logits: Tensor, labels: Tensor, /) -> Tensor:
        """The loss without terms that relate pixels to each other; shapes as above."""
        ...


@runtime_checkable
class EpochCriterion(Protocol):
    """A criterion that depends on the epoch."""

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, counted from 0, that the following losses belong to."""
        ...


class TrainingOutput(Protocol):
    """A network's output in training."""

    @property
    def logits(self) -> Tensor:
        """(B, K, H, W) fused logits."""
        ...

    @property
    def auxiliary(self) -> Tensor | None:
        """(B, K, H, W) auxiliary logits; None if the network has none."""
        ...

    @property
    def per_scale(self) -> Mapping[float, Tensor] | None:
        """Scale -> its own logits (B, K, h, w) at the size of the scaled image."""
        ...


class CombinedLoss(nn.Module):
    """main + ``auxiliary_weight`` * auxiliary + ``per_scale_weight`` * (sum over scales)
    + ``lovasz_weight`` * Lovász-softmax of the fused logits.

    Each term is against the full-size label; a scale's logits are resized to it first. Auxiliary
    and per-scale terms use the main criterion's ``pixelwise`` form: for RMI its BCE with factor 1,
    for all other criteria the criterion itself. Image-weighted cross-entropy and boundary
    relaxation are sums over images. Beside them the Lovász term, a mean, is multiplied by the
    number of images, so that its weight does not depend on the batch.

    Args:
        main: Criterion of the fused logits.
        auxiliary_weight: Weight of the auxiliary logits (published: 0.4).
        per_scale_weight: Weight of each scale's own logits (published: 0.05); 0 leaves them out.
        lovasz_weight: Weight of the Lovász-softmax term; 0 leaves it out.
        auxiliary_by_main: Take the main criterion itself for the auxiliary logits.
        align_corners: Whether per-scale logits are resized with aligned corners, as the network's.
    """

    def __init__(
        self,
        main: Criterion,
        auxiliary_weight: float = 0.4,
        per_scale_weight: float = 0.0,
        *,
        lovasz_weight: float = 0.0,
        auxiliary_by_main: bool = False,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.main = main
        self.auxiliary_weight = auxiliary_weight
        self.per_scale_weight = per_scale_weight
        self.lovasz_weight = lovasz_weight
        self.lovasz = LovaszSoftmax(main.ignore)
        self.auxiliary_by_main = auxiliary_by_main
        self.align_corners = align_corners

    @property
    def fallbacks(self) -> int:
        """How often region mutual information has fallen back to its BCE so far."""
        return self.main.fallbacks if isinstance(self.main, RegionMutualInformation) else 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, counted from 0, that the following losses belong to."""
        if isinstance(self.main, EpochCriterion):
            self.main.set_epoch(epoch)

    def forward(
        self, output: TrainingOutput, labels: Tensor, share: Share = WHOLE
    ) -> dict[str, Tensor]:
        """Named scalars: "loss" is the weighted total; the terms beside it are unweighted.

        Args:
            output: Logits (B, K, H, W), and auxiliary and per-scale logits if there are any.
            labels: (B, H, W) int64 train ids.
            share: The part of this batch in a step of several batches. The step's loss is the sum
                over its batches.
        """
        scale = self._scale(share)
        losses = {"main": self._by_main(output.logits, labels, share)}
        total = losses["main"]
        if output.auxiliary is not None and self.auxiliary_weight:
            if self.auxiliary_by_main:
                losses["auxiliary"] = self._by_main(output.auxiliary, labels, share)
            else:
                losses["auxiliary"] = self.main.pixelwise(output.auxiliary, labels) * scale
            total = total + self.auxiliary_weight * losses["auxiliary"]
        if output.per_scale and self.per_scale_weight:
            losses["per_scale"] = self._per_scale(output.per_scale, labels) * scale
            total = total + self.per_scale_weight * losses["per_scale"]
        if self.lovasz_weight:
            lovasz = self._count_images(self.lovasz(output.logits, labels), len(labels))
            losses["lovasz"] = lovasz * scale
            total = total + self.lovasz_weight * losses["lovasz"]
        return {"loss": total, **losses}

    def _by_main(self, logits: Tensor, labels: Tensor, share: Share) -> Tensor:
        if isinstance(self.main, RegionMutualInformation):  # a mean over pixels and one over images
            loss: Tensor = self.main(logits, labels, share)
            return loss
        return self.main(logits, labels) * self._scale(share)

    def _scale(self, share: Share) -> float:
        """The factor of a term in a step of several batches: the share of pixels for a mean over
        pixels, 1 for a sum over images, the share of images if that sum is scaled to ``images``.
        """
        if not isinstance(self.main, ImageWeightedCrossEntropy | BoundaryRelaxedLoss):
            return share.pixels
        return 1.0 if self.main.images is None else share.images

    def _count_images(self, mean: Tensor, batch: int) -> Tensor:
        """A mean over a batch, scaled like the main criterion."""
        if not isinstance(self.main, ImageWeightedCrossEntropy | BoundaryRelaxedLoss):
            return mean
        return sum_over_images(mean * batch, batch, self.main.images)

    def _per_scale(self, per_scale: Mapping[float, Tensor], labels: Tensor) -> Tensor:
        total = torch.zeros((), device=labels.device)
        for logits in per_scale.values():
            if not self._enlarges(logits, labels):
                size = (labels.shape[-2], labels.shape[-1])
                logits = resize_to(logits, size, self.align_corners)
            total = total + self.main.pixelwise(logits, labels)
        return total

    def _enlarges(self, logits: Tensor, labels: Tensor) -> bool:
        """Whether the main criterion itself resizes these logits to the labels' size."""
        if self.align_corners or not isinstance(self.main, RegionMutualInformation):
            return False
        (height, width), (rows, columns) = labels.shape[-2:], logits.shape[-2:]
        return height % rows == 0 and width % columns == 0 and height // rows == width // columns
