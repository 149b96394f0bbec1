"""From images to predictions, and from predictions to files.

Names are loaded on first use, so that finding sources imports no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.inference.agreement import Agreement, measure_agreement
    from hierseg.inference.exchange import (
        ClassMask,
        count_runs,
        encode_runs,
        iterate_masks,
        list_categories,
    )
    from hierseg.inference.footprint import STEP, Fit, Footprint
    from hierseg.inference.outputs import PLAIN, WRITERS, Look
    from hierseg.inference.pixels import ImageLike, Region
    from hierseg.inference.prediction import Prediction
    from hierseg.inference.predictor import Predictor
    from hierseg.inference.regions import ClassStatistics, Polygon, class_shares
    from hierseg.inference.segmentation import Segmentation
    from hierseg.inference.segmenter import Segmenter
    from hierseg.inference.steady import Steadier, SteadyMode, SteadyPredictor
    from hierseg.inference.tiling import Windows, blend
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "agreement": (
                "Agreement",
                "measure_agreement",
            ),
            "footprint": (
                "Fit",
                "Footprint",
                "STEP",
            ),
            "exchange": (
                "ClassMask",
                "count_runs",
                "encode_runs",
                "iterate_masks",
                "list_categories",
            ),
            "outputs": ("Look", "PLAIN", "WRITERS"),
            "pixels": ("ImageLike", "Region"),
            "prediction": ("Prediction",),
            "predictor": ("Predictor",),
            "regions": (
                "ClassStatistics",
                "Polygon",
                "class_shares",
            ),
            "segmentation": ("Segmentation",),
            "segmenter": ("Segmenter",),
            "steady": ("Steadier", "SteadyMode", "SteadyPredictor"),
            "tiling": (
                "Windows",
                "blend",
            ),
        },
    )

__all__ = [
    "PLAIN",
    "STEP",
    "WRITERS",
    "Agreement",
    "ClassMask",
    "ClassStatistics",
    "Fit",
    "Footprint",
    "ImageLike",
    "Look",
    "Polygon",
    "Prediction",
    "Predictor",
    "Region",
    "Segmentation",
    "Segmenter",
    "Steadier",
    "SteadyMode",
    "SteadyPredictor",
    "Windows",
    "blend",
    "class_shares",
    "count_runs",
    "encode_runs",
    "iterate_masks",
    "list_categories",
    "measure_agreement",
]
