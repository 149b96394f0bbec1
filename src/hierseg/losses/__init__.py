"""Training criteria: one a file, and their combination. (logits, labels) in, a scalar out."""

from hierseg.losses.boundary_relaxed import BoundaryRelaxedLoss
from hierseg.losses.combined import CombinedLoss, Criterion
from hierseg.losses.cross_entropy import CrossEntropy
from hierseg.losses.image_weighted import ImageWeightedCrossEntropy
from hierseg.losses.lovasz import LovaszSoftmax
from hierseg.losses.region_mutual_information import RegionMutualInformation
from hierseg.losses.sums import WHOLE, Share

__all__ = [
    "WHOLE",
    "BoundaryRelaxedLoss",
    "CombinedLoss",
    "Criterion",
    "CrossEntropy",
    "ImageWeightedCrossEntropy",
    "LovaszSoftmax",
    "RegionMutualInformation",
    "Share",
]
