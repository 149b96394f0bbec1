"""Measures of a segmentation: label maps or logits in, immutable results out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.metrics.boundary import BoundaryCounts, BoundaryScores
    from hierseg.metrics.calibration import (
        CalibrationCounts,
        CalibrationScores,
        CoveragePoint,
        ReliabilityBin,
        fit_temperature,
    )
    from hierseg.metrics.confusion import ConfusionMatrix
    from hierseg.metrics.cross_entropy import sum_cross_entropy
    from hierseg.metrics.offsets import Offsets, fit_offsets
    from hierseg.metrics.reconstruction import FrameScores, average_scores, score_frame
    from hierseg.metrics.scores import SegmentationScores
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "boundary": (
                "BoundaryCounts",
                "BoundaryScores",
            ),
            "calibration": (
                "CalibrationCounts",
                "CalibrationScores",
                "CoveragePoint",
                "ReliabilityBin",
                "fit_temperature",
            ),
            "confusion": ("ConfusionMatrix",),
            "cross_entropy": ("sum_cross_entropy",),
            "offsets": (
                "Offsets",
                "fit_offsets",
            ),
            "reconstruction": ("FrameScores", "average_scores", "score_frame"),
            "scores": ("SegmentationScores",),
        },
    )

__all__ = [
    "BoundaryCounts",
    "BoundaryScores",
    "CalibrationCounts",
    "CalibrationScores",
    "ConfusionMatrix",
    "CoveragePoint",
    "FrameScores",
    "Offsets",
    "ReliabilityBin",
    "SegmentationScores",
    "average_scores",
    "fit_offsets",
    "fit_temperature",
    "score_frame",
    "sum_cross_entropy",
]
