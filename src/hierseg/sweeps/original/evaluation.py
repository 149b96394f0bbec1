"""Translates the original's evaluations and dumps to commands of hierseg."""

from __future__ import annotations

from typing import Any

from hierseg.errors import UsageError, shorten
from hierseg.options import show_scales
from hierseg.sweeps.original.flags import PLAIN, Values
from hierseg.sweeps.original.training import find_network, is_multi_scale, list_scales, read_value
from hierseg.sweeps.resolving import show_value

ALL_OUTPUTS = ("overlay", "color", "labels", "confidence", "attention", "scales")
_SAID_NOTHING = frozenset({"dataset", "cv", "num_workers", "set_cityscapes_root", "snapshot",
                           "pre_size", "deterministic", "ocr_alpha"})  # fmt: skip

Translation = tuple[str, list[str], bool, list[str]]
"""Command, its words, whether to save pictures of every image, and notes."""


def translate_evaluation(values: Values) -> Translation:
    """The command for flags of the original with ``eval``.

    Raises:
        UsageError: A flag has a value that is not valid.
    """
    kind = str(values["eval"])
    notes = [
        f"'{name}' has no effect on an evaluation."
        for name in PLAIN
        if name in values and name not in _SAID_NOTHING
    ]
    if kind == "folder":
        command, words = "predict", _of_folder(values)
        return command, words, False, notes
    if kind != "val":
        raise UsageError(f"HPARAMS: 'eval' is val or folder, not '{shorten(kind)}'.")
    if "set_cityscapes_root" not in values:
        notes.append("the file names no folder of the data; add `set_cityscapes_root: DIR`.")
    return *_of_split(values), notes


def _of_folder(values: Values) -> list[str]:
    folder = values.get("eval_folder")
    if not isinstance(folder, str):
        raise UsageError("HPARAMS: 'eval: folder' needs 'eval_folder', the folder of the images.")
    words = [folder, *_weights(values), *_how(values)]
    if _dumps(values):
        words += ["--save", *ALL_OUTPUTS]
    return words


def _of_split(values: Values) -> tuple[str, list[str], bool]:
    data = ["--data", str(values.get("dataset", "cityscapes"))]
    if "set_cityscapes_root" in values:
        data += ["--root", str(values["set_cityscapes_root"])]
    split = ["--split", "val", "--cv", str(read_value("cv", int, values.get("cv", 0)))]
    run = [*_weights(values), *_how(values)]
    if values.get("dump_for_submission"):
        return "submit", [*data, *split[:2], *run], False
    if values.get("dump_for_auto_labelling"):
        return "autolabel", [*data, *split[:2], *run], False
    if values.get("no_metrics"):
        saved = ["--save", *ALL_OUTPUTS] if _dumps(values) else []
        return "predict", [*data, *split, *run, *saved], False
    if "pre_size" in values:
        run += ["--count-at", "run"]  # as published, with image and labels at the long edge
    worst = read_value("dump_topn", int, values.get("dump_topn", 0))
    if worst:
        run += ["--worst", str(worst)]
    if values.get("test_mode"):
        run += ["--limit", "10"]
    return "evaluate", [*data, *split, *run], _dumps(values)


def _dumps(values: Values) -> bool:
    return bool(values.get("dump_assets") or values.get("dump_all_images"))


def _weights(values: Values) -> list[str]:
    snapshot = values.get("snapshot", values.get("resume"))
    if not isinstance(snapshot, str):
        raise UsageError("HPARAMS: an evaluation needs 'snapshot', the weights.")
    return ["--weights", snapshot]


def _how(values: Values) -> list[str]:
    """How the network is run."""
    words: list[str] = []
    has_arch = "arch" in values
    scales = list_scales(values, not has_arch or is_multi_scale(find_network(values)))
    if scales is not None:
        words += ["--scales", *show_scales(scales).split()]
    if values.get("do_flip"):
        words.append("--flip")
    if "pre_size" in values:
        words += ["--long-edge", show_value(read_value("pre_size", int, values["pre_size"]))]
    if values.get("fp16"):
        words += ["--precision", "fp16"]
    batch: Any = read_value("bs_val", int, values.get("bs_val", 1))
    if batch > 1:
        words += ["--batch", str(batch)]
    return words
