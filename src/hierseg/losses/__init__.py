"""Training losses, one a file, and their combination. (logits, labels) in, a scalar out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.losses.boundary_relaxed import BoundaryRelaxedLoss
    from hierseg.losses.combined import CombinedLoss, Criterion
    from hierseg.losses.cross_entropy import CrossEntropy
    from hierseg.losses.distillation import Distillation
    from hierseg.losses.image_weighted import ImageWeightedCrossEntropy
    from hierseg.losses.lovasz import LovaszSoftmax
    from hierseg.losses.region_mutual_information import RegionMutualInformation
    from hierseg.losses.sums import WHOLE, Share
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "boundary_relaxed": ("BoundaryRelaxedLoss",),
            "combined": (
                "CombinedLoss",
                "Criterion",
            ),
            "cross_entropy": ("CrossEntropy",),
            "distillation": ("Distillation",),
            "image_weighted": ("ImageWeightedCrossEntropy",),
            "lovasz": ("LovaszSoftmax",),
            "region_mutual_information": ("RegionMutualInformation",),
            "sums": (
                "Share",
                "WHOLE",
            ),
        },
    )

__all__ = [
    "WHOLE",
    "BoundaryRelaxedLoss",
    "CombinedLoss",
    "Criterion",
    "CrossEntropy",
    "Distillation",
    "ImageWeightedCrossEntropy",
    "LovaszSoftmax",
    "RegionMutualInformation",
    "Share",
]
