"""Measures of a segmentation: label maps or logits in, frozen results out."""

from hierseg.metrics.boundary import BoundaryCounts, BoundaryScores
from hierseg.metrics.calibration import (
    CalibrationCounts,
    CalibrationScores,
    ReliabilityBin,
    fit_temperature,
)
from hierseg.metrics.confusion import ConfusionMatrix
from hierseg.metrics.offsets import Offsets, fit_offsets
from hierseg.metrics.scores import SegmentationScores

__all__ = [
    "BoundaryCounts",
    "BoundaryScores",
    "CalibrationCounts",
    "CalibrationScores",
    "ConfusionMatrix",
    "Offsets",
    "ReliabilityBin",
    "SegmentationScores",
    "fit_offsets",
    "fit_temperature",
]
