"""hierseg: semantic segmentation of street scenes by hierarchical multi-scale attention.

    import hierseg
    predictor = hierseg.Predictor(hierseg.load_model())
    prediction = predictor("street.jpg")

Names are loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.version import __version__ as __version__

__all__ = ["Prediction", "Predictor", "__version__", "create_model", "list_models", "load_model"]

if TYPE_CHECKING:
    from hierseg.checkpoint import load_model
    from hierseg.inference import Prediction, Predictor
    from hierseg.models import create_model, list_models
else:  # type checkers would take any name for one that this gives
    _HOMES = {
        "load_model": "hierseg.checkpoint",
        "create_model": "hierseg.models",
        "list_models": "hierseg.models",
        "Prediction": "hierseg.inference",
        "Predictor": "hierseg.inference",
    }

    def __getattr__(name: str) -> object:
        import importlib

        if name not in _HOMES:
            raise AttributeError(f"module 'hierseg' has no attribute '{name}'")
        return getattr(importlib.import_module(_HOMES[name]), name)

    def __dir__() -> list[str]:
        return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
