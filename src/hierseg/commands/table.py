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


OF_RECIPES = ("train", "samples", "plan")
"""Commands whose first word is a recipe, and whose flags are its values; their functions take the
experiment, and one more dataclass where they have flags of their own."""

OTHER_TRAININGS = {
    "sdcnet": Command(
        "hierseg.commands.train_sdcnet:train_sdcnet", "learn the flow between frames from clips"
    ),
}
"""What `hierseg train` trains beside its recipes; each function takes a dataclass of its flags."""

TOGETHER = ("evaluate", "predict", "submit", "autolabel")
"""Commands whose processes share the images where torchrun launches several."""

GROUPS = {
    "use a model": ("demo", "predict", "serve", "autolabel", "submit"),
    "train one": (
        "finetune",
        "describe",
        "check",
        "propagate",
        "train",
        "samples",
        "plan",
        "sweep",
        "runs",
    ),
    "measure and tune it": ("evaluate", "bench", "calibrate", "adjust", "fit-gate", "flow"),
    "bring and take weights": ("convert", "export"),
    "look around": ("models", "recipes", "streets"),
}
"""Commands as the overview has them, by what somebody wants to do; each is in one group."""

COMMANDS = {
    "demo": Command("hierseg.commands.demo:demo", "draw street scenes, segment them, make a page"),
    "predict": Command("hierseg.commands.predict:predict", "segment files, folders or globs"),
    "serve": Command("hierseg.commands.serve:serve", "show a page to try a model on"),
    "evaluate": Command("hierseg.commands.evaluate:evaluate", "score a model on a data set"),
    "submit": Command("hierseg.commands.submit:submit", "make what a benchmark's server takes"),
    "autolabel": Command(
        "hierseg.commands.autolabel:autolabel", "label images that have no labels, for training"
    ),
    "calibrate": Command(
        "hierseg.commands.calibrate:calibrate", "let confidence say how often a model is right"
    ),
    "adjust": Command(
        "hierseg.commands.adjust:adjust", "shift class logits to where a model's mIoU is highest"
    ),
    "fit-gate": Command(
        "hierseg.commands.fit_gate:fit_gate", "teach a model where its largest scale is worth it"
    ),
    "flow": Command(
        "hierseg.commands.flow:flow", "compare what estimates the flow between frames, on clips"
    ),
    "convert": Command(
        "hierseg.commands.convert:convert", "bring a published checkpoint here, or back"
    ),
    "export": Command(
        "hierseg.commands.export:export", "write a model as one graph for other runtimes"
    ),
    "finetune": Command(
        "hierseg.commands.finetune:finetune", "train a model on a folder of images and masks"
    ),
    "describe": Command(
        "hierseg.commands.describe:describe", "write the file that describes such a folder"
    ),
    "check": Command("hierseg.commands.check:check", "say what is wrong with a data set"),
    "propagate": Command(
        "hierseg.commands.propagate:propagate", "carry labels to the frames around labelled ones"
    ),
    "train": Command("hierseg.commands.train:train", "train a model by a recipe"),
    "sweep": Command("hierseg.commands.sweep:sweep", "run many trainings, here or on Ray"),
    "runs": Command("hierseg.commands.runs:runs", "compare runs: settings, figures, curves"),
    "plan": Command(
        "hierseg.commands.plan:plan", "say what memory and work a recipe needs, and what would fit"
    ),
    "samples": Command(
        "hierseg.commands.samples:samples", "write what a recipe would train on, as pictures"
    ),
    "bench": Command(
        "hierseg.commands.bench:bench", "time the engines that can run a network on this machine"
    ),
    "streets": Command("hierseg.commands.streets:streets", "draw a data set of street scenes"),
    "models": Command("hierseg.commands.models:models", "list networks and packaged weights"),
    "recipes": Command("hierseg.commands.recipes:recipes", "list training recipes"),
}
