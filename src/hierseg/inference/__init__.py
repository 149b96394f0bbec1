"""From images to predictions, and from predictions to files and a page.

Names are loaded on first use, so that finding sources costs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.inference.agreement import Agreement, measure_agreement
    from hierseg.inference.footprint import STEP, Fit, Footprint
    from hierseg.inference.prediction import Prediction, class_shares
    from hierseg.inference.predictor import Predictor
    from hierseg.inference.segmenter import Segmentation, Segmenter
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
            "prediction": (
                "Prediction",
                "class_shares",
            ),
            "predictor": ("Predictor",),
            "segmenter": (
                "Segmentation",
                "Segmenter",
            ),
            "tiling": (
                "Windows",
                "blend",
            ),
        },
    )

__all__ = [
    "STEP",
    "Agreement",
    "Fit",
    "Footprint",
    "Prediction",
    "Predictor",
    "Segmentation",
    "Segmenter",
    "Windows",
    "blend",
    "class_shares",
    "measure_agreement",
]
