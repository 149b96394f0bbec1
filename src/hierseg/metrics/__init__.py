"""Measures of a segmentation: label maps in, frozen results out."""

from hierseg.metrics.confusion import ConfusionMatrix
from hierseg.metrics.scores import SegmentationScores

__all__ = ["ConfusionMatrix", "SegmentationScores"]
