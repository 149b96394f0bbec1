"""A table of the commands: the function of each, imported when it is needed, and its short help."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple


class Command(NamedTuple):
    """A command: its function, and what its help shows.

    Attributes:
        target: Its function, as ``module:function``.
        summary: What it does, for the overview.
        example: A command line that does something useful.
        flags: Flags that the short help shows, without dashes; empty for all.
    """

    target: str
    summary: str
    example: str = ""
    flags: tuple[str, ...] = ()

    def load(self) -> Callable[..., Any]:
        """Import the function."""
        module, function = self.target.split(":")
        loaded: Callable[..., Any] = getattr(importlib.import_module(module), function)
        return loaded


OF_RECIPES = ("train", "samples", "plan")
"""Commands whose first word is a recipe, and whose flags are its settings. Their functions take the
experiment, and a second dataclass if they have flags of their own."""

OTHER_TRAININGS = {
    "sdcnet": Command(
        "hierseg.commands.train_sdcnet:train_sdcnet",
        "train SDC-Net, which estimates the flow between frames",
        "hierseg train sdcnet --root clips -o runs/sdcnet",
    ),
}
"""What `hierseg train` trains besides its recipes; each function takes a dataclass of its flags."""

TOGETHER = ("evaluate", "predict", "submit", "autolabel")
"""Commands whose processes share the images if torchrun launches several."""

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
    "convert and share weights": ("convert", "export", "publish"),
    "list, draw, set up": ("models", "recipes", "streets", "completion"),
}
"""Commands by purpose, as the overview lists them; each is in one group."""

_FIT = ("data", "root", "split", "out", "weights", "device", "limit", "every", "seed", "overwrite")
_TRAINING = (
    "data.name", "data.root", "data.crop", "data.batch", "data.workers", "model.weights",
    "optim.lr", "optim.epochs", "runtime.out", "runtime.device", "runtime.precision",
    "runtime.resume", "runtime.seed",
)  # fmt: skip

COMMANDS = {
    "demo": Command(
        "hierseg.commands.demo:demo",
        "draw street scenes, segment them, make a page",
        "hierseg demo --out demo",
    ),
    "predict": Command(
        "hierseg.commands.predict:predict",
        "segment files, folders, globs, a video or a camera",
        "hierseg predict photos --out seen",
        ("out", "weights", "device", "save", "palette", "names", "every", "show", "fps",
         "overwrite", "data", "root", "scales", "long-edge", "batch", "engine"),
    ),
    "serve": Command(
        "hierseg.commands.serve:serve",
        "show a page to try a model on",
        "hierseg serve --weights runs/first",
        ("weights", "port", "host", "token", "keep", "palette", "device", "max-bytes",
         "max-pixels", "queue", "scales", "engine"),
    ),
    "evaluate": Command(
        "hierseg.commands.evaluate:evaluate",
        "score a model on a data set",
        "hierseg evaluate --data camvid --root CamVid --weights runs/first",
        ("data", "root", "split", "weights", "device", "limit", "json", "predictions", "worst",
         "out", "scales", "flip", "long-edge", "batch", "per-scale", "overwrite"),
    ),
    "submit": Command(
        "hierseg.commands.submit:submit",
        "make the zip that a benchmark's server takes",
        "hierseg submit --data cityscapes --root cityscapes --out submission.zip",
        ("data", "out", "root", "split", "weights", "device", "predictions", "overwrite",
         "preset", "scales", "flip", "batch", "engine", "precision"),
    ),
    "autolabel": Command(
        "hierseg.commands.autolabel:autolabel",
        "label images that have no labels, for training",
        "hierseg autolabel --data folder --root frames --out labels",
        ("data", "out", "root", "split", "weights", "device", "shard", "threshold", "overwrite",
         "preset", "scales", "flip", "batch", "engine", "runner"),
    ),
    "calibrate": Command(
        "hierseg.commands.calibrate:calibrate",
        "make confidence match how often a model is right",
        "hierseg calibrate --data camvid --root CamVid --weights runs/first "
        "--out calibrated.safetensors",
        (*_FIT, "pixels", "plot", "scales", "batch"),
    ),
    "adjust": Command(
        "hierseg.commands.adjust:adjust",
        "shift class logits so that mIoU is highest",
        "hierseg adjust --data camvid --root CamVid --weights runs/first --out better.safetensors",
        (*_FIT, "pixels", "scales", "batch"),
    ),
    "fit-gate": Command(
        "hierseg.commands.fit_gate:fit_gate",
        "teach a gate where the largest scale helps",
        "hierseg fit-gate --data camvid --root CamVid --weights runs/first --out gated.safetensors",
        (*_FIT, "scales", "long-edge"),
    ),
    "flow": Command(
        "hierseg.commands.flow:flow",
        "compare estimators of the flow between frames, on clips",
        "hierseg flow clips --flow dis",
    ),
    "convert": Command(
        "hierseg.commands.convert:convert",
        "convert a published checkpoint to hierseg's form, or back",
        "hierseg convert cityscapes_best.pth cityscapes.safetensors",
    ),
    "export": Command(
        "hierseg.commands.export:export",
        "write a model as one graph for other runtimes",
        "hierseg export --weights runs/first --out first.onnx",
        ("out", "format", "weights", "size", "scales", "output", "precision", "check", "data",
         "root", "calibrate", "tolerance", "overwrite"),
    ),
    "publish": Command(
        "hierseg.commands.publish:publish",
        "write a model as a repository of the Hugging Face Hub",
        "hierseg publish runs/first --to first-model --license mit",
    ),
    "finetune": Command(
        "hierseg.commands.finetune:finetune",
        "train a model on a folder of images and masks",
        "hierseg finetune photos",
    ),
    "describe": Command(
        "hierseg.commands.describe:describe",
        "write the file that describes a folder of images and masks",
        "hierseg describe photos > photos.yaml",
    ),
    "check": Command(
        "hierseg.commands.check:check",
        "say what is wrong with a data set",
        "hierseg check camvid --root CamVid",
    ),
    "train": Command(
        "hierseg.commands.train:train",
        "train a model by a recipe",
        "hierseg train {recipe} --root DATA -o runs/first",
        (*_TRAINING, "tracking"),
    ),
    "sweep": Command(
        "hierseg.commands.sweep:sweep",
        "run many trainings, here or on Ray",
        "hierseg sweep rates.yaml --dry-run",
    ),
    "runs": Command(
        "hierseg.commands.runs:runs",
        "compare runs: settings, figures, curves",
        "hierseg runs runs --page runs.html",
    ),
    "propagate": Command(
        "hierseg.commands.propagate:propagate",
        "carry labels to the frames around labelled ones",
        "hierseg propagate --frames clip.mp4 --labels labels --out propagated",
    ),
    "plan": Command(
        "hierseg.commands.plan:plan",
        "estimate the memory and work of a recipe, and what would fit",
        "hierseg plan {recipe} --gpu-memory 24G",
        ("gpu-memory", "processes", "image", "classes", "data.name", "data.root", "data.crop",
         "data.batch", "model.name", "optim.accumulate", "runtime.precision", "eval.scales"),
    ),
    "samples": Command(
        "hierseg.commands.samples:samples",
        "write the samples that a recipe trains on, as pictures",
        "hierseg samples {recipe} --root DATA --out samples",
        ("out", "count", "epoch", "overwrite", "data.name", "data.root", "data.crop",
         "data.class-uniform", "data.scale-min", "data.scale-max", "data.flip",
         "data.color-jitter", "data.blur", "data.rand-augment", "runtime.seed"),
    ),
    "bench": Command(
        "hierseg.commands.bench:bench",
        "time the engines that can run a network on this machine",
        "hierseg bench --weights runs/first --sizes 720x960",
    ),
    "streets": Command(
        "hierseg.commands.streets:streets",
        "draw a data set of street scenes",
        "hierseg streets --out streets --count 200",
    ),
    "models": Command(
        "hierseg.commands.models:models",
        "list networks and packaged weights",
        "hierseg models 'hrnet*'",
    ),
    "recipes": Command(
        "hierseg.commands.recipes:recipes", "list training recipes", "hierseg recipes"
    ),
    "completion": Command(
        "hierseg.commands.completion:completion",
        "let the shell complete commands, flags and names",
        'eval "$(hierseg completion bash)"',
    ),
}  # fmt: skip
