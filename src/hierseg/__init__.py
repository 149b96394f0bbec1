"""hierseg: semantic segmentation of street scenes by hierarchical multi-scale attention.

Segment an image with the model in the box:

    import hierseg

    predictor = hierseg.Predictor("streetlite")
    prediction = predictor("street.jpg")
    prediction.save("overlay.png")

Networks
    load_model        a network with its weights, of a file, a run folder or a name
    create_model      a new network by name
    list_models       the names
    save_checkpoint   a network and its label space in one file
    export            a network as one graph, from pixels to labels, for other runtimes

Prediction
    Predictor         segments images, folders, videos, cameras
    Prediction        labels, confidence, masks, pictures of one

Training and evaluation
    open_dataset      a split of a data set by name, or of your own data
    evaluate          mIoU and more of a network on a labelled split
    list_recipes      what can be trained by name
    get_recipe        the experiment of a recipe
    train             train an experiment; returns its figures

    LabelSpace        the classes of a data set
    UserError         what a caller can mend, in one sentence

Each name is loaded when it is first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.version import __version__ as __version__

__all__ = [
    "LabelSpace",
    "Prediction",
    "Predictor",
    "UserError",
    "__version__",
    "create_model",
    "evaluate",
    "export",
    "get_recipe",
    "list_models",
    "list_recipes",
    "load_model",
    "open_dataset",
    "save_checkpoint",
    "train",
]

if TYPE_CHECKING:
    from hierseg.checkpoint import load_model, save_checkpoint
    from hierseg.data import open_dataset
    from hierseg.errors import UserError
    from hierseg.evaluation import evaluate_weights as evaluate
    from hierseg.exporting import export
    from hierseg.inference import Prediction, Predictor
    from hierseg.labels import LabelSpace
    from hierseg.models import create_model, list_models
    from hierseg.recipes import get_recipe, list_recipes
    from hierseg.training import train
else:  # type checkers would take any name for one that this gives
    _HOMES = {
        "LabelSpace": ("labels", "LabelSpace"),
        "Prediction": ("inference", "Prediction"),
        "Predictor": ("inference", "Predictor"),
        "UserError": ("errors", "UserError"),
        "create_model": ("models", "create_model"),
        "evaluate": ("evaluation", "evaluate_weights"),
        "export": ("exporting", "export"),
        "get_recipe": ("recipes", "get_recipe"),
        "list_models": ("models", "list_models"),
        "list_recipes": ("recipes", "list_recipes"),
        "load_model": ("checkpoint", "load_model"),
        "open_dataset": ("data", "open_dataset"),
        "save_checkpoint": ("checkpoint", "save_checkpoint"),
        "train": ("training", "train"),
    }

    def __getattr__(name: str) -> object:
        import importlib

        if name not in _HOMES:
            raise AttributeError(f"module 'hierseg' has no attribute '{name}'")
        module, attribute = _HOMES[name]
        return getattr(importlib.import_module(f"hierseg.{module}"), attribute)

    def __dir__() -> list[str]:
        return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
