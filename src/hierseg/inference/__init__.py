"""From images to predictions, and from predictions to files and a page.

Names are loaded on first use, so that finding sources costs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hierseg.inference.page import Page as Page
    from hierseg.inference.page import write_page as write_page
    from hierseg.inference.prediction import Prediction as Prediction
    from hierseg.inference.prediction import class_shares as class_shares
    from hierseg.inference.predictor import Predictor as Predictor
    from hierseg.inference.reading import UnreadableImageError as UnreadableImageError
    from hierseg.inference.reading import read_image as read_image
    from hierseg.inference.run import RunSettings as RunSettings
    from hierseg.inference.run import run_folder as run_folder
    from hierseg.inference.scales import predict_logits as predict_logits
    from hierseg.inference.sources import find_images as find_images
    from hierseg.inference.summary import ImageRecord as ImageRecord
    from hierseg.inference.summary import Panel as Panel
    from hierseg.inference.summary import Summary as Summary
    from hierseg.inference.writers import WRITERS as WRITERS

_HOMES = {
    "Page": "hierseg.inference.page",
    "write_page": "hierseg.inference.page",
    "Prediction": "hierseg.inference.prediction",
    "class_shares": "hierseg.inference.prediction",
    "Predictor": "hierseg.inference.predictor",
    "UnreadableImageError": "hierseg.inference.reading",
    "read_image": "hierseg.inference.reading",
    "RunSettings": "hierseg.inference.run",
    "run_folder": "hierseg.inference.run",
    "predict_logits": "hierseg.inference.scales",
    "find_images": "hierseg.inference.sources",
    "ImageRecord": "hierseg.inference.summary",
    "Panel": "hierseg.inference.summary",
    "Summary": "hierseg.inference.summary",
    "WRITERS": "hierseg.inference.writers",
}

__all__ = [
    "WRITERS",
    "ImageRecord",
    "Page",
    "Panel",
    "Prediction",
    "Predictor",
    "RunSettings",
    "Summary",
    "UnreadableImageError",
    "class_shares",
    "find_images",
    "predict_logits",
    "read_image",
    "run_folder",
    "write_page",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
