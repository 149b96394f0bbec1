"""hierseg: semantic segmentation of street scenes by hierarchical multi-scale attention.

    import hierseg
    predictor = hierseg.Predictor(hierseg.load_model())
    prediction = predictor("street.jpg")

Names are loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from hierseg.checkpoint import load_model as load_model
    from hierseg.inference import Prediction as Prediction
    from hierseg.inference import Predictor as Predictor
    from hierseg.models import create_model as create_model
    from hierseg.models import list_models as list_models

_HOMES = {
    "load_model": "hierseg.checkpoint",
    "create_model": "hierseg.models",
    "list_models": "hierseg.models",
    "Prediction": "hierseg.inference",
    "Predictor": "hierseg.inference",
}

__all__ = ["Prediction", "Predictor", "__version__", "create_model", "list_models", "load_model"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hierseg' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
