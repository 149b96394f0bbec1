"""Measures of a segmentation: label maps or logits in, frozen results out."""

from hierseg.metrics.boundary import BoundaryCounts, BoundaryScores
from hierseg.metrics.calibration import (
    CalibrationCounts,
    CalibrationScores,
    ReliabilityBin,
    fit_temperature,
)
from hierseg.metrics.confusion import ConfusionMatrix
from hierseg.metrics.scores import SegmentationScores

__all__ = [
    "BoundaryCounts",
    "BoundaryScores",
    "CalibrationCounts",
    "CalibrationScores",
    "ConfusionMatrix",
    "ReliabilityBin",
    "SegmentationScores",
    "fit_temperature",
]
