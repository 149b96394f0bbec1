"""One table: command -> the function that is imported when it is called for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple


class Command(NamedTuple):
    """Where a command's function is, as ``module:function``, and one line about it."""

    target: str
    summary: str

    def load(self) -> Callable[..., Any]:
        """Import the function."""
        module, function = self.target.split(":")
        loaded: Callable[..., Any] = getattr(importlib.import_module(module), function)
        return loaded


COMMANDS = {
    "demo": Command("hierseg.commands.demo:demo", "draw street scenes, segment them, make a page"),
    "predict": Command("hierseg.commands.predict:predict", "segment files, folders or globs"),
    "evaluate": Command("hierseg.commands.evaluate:evaluate", "score a model on a data set"),
    "autolabel": Command(
        "hierseg.commands.autolabel:autolabel", "label images that have no labels, for training"
    ),
    "convert": Command(
        "hierseg.commands.convert:convert", "bring a published checkpoint here, or back"
    ),
    "check": Command("hierseg.commands.check:check", "say what is wrong with a data set"),
    "train": Command("hierseg.commands.train:train", "train a model by a recipe"),
    "streets": Command("hierseg.commands.streets:streets", "draw a data set of street scenes"),
    "models": Command("hierseg.commands.models:models", "list networks and packaged weights"),
    "recipes": Command("hierseg.commands.recipes:recipes", "list training recipes"),
}
