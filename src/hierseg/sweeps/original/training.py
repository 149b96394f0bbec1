"""Translates a training run of the original to the nearest recipe and the settings that differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hierseg.errors import UsageError
from hierseg.models import MODELS, PUBLISHED_NAMES
from hierseg.recipes import RECIPES, get_recipe
from hierseg.size import Size
from hierseg.sweeps.original.flags import PLAIN, Values, read_numbers
from hierseg.sweeps.resolving import apply_settings, can_be_said, list_changes, make_words

EVALUATED_AT = "0.5,1.0,2.0"
DEFAULT_ARCH = "deepv3.DeepV3PlusW38"
LONGEST_EXTRA = 150
"""Default of ``max_cu_epoch``."""

# The original's behaviour where it has no flag.
NEUTRAL: Mapping[str, Any] = {
    "model.freeze_norms": False,
    "data.flip": 0.5,
    "loss.lovasz_weight": 0.0,
    "loss.weighting": "share",
    "optim.trunk_lr_factor": 1.0,
    "optim.decay_norms": True,
    "optim.clip_norm": 0.0,
    "optim.accumulate": 1,
    "optim.schedule_unit": "epoch",
    "optim.warmup_steps": 0,
    "optim.ema_decay": 0.0,
}


_SETTINGS_OF_JOINT: Mapping[str, str] = {
    "arch": "model.name", "n_scales": "eval.scales", "multi_scale_inference": "eval.scales",
    "do_flip": "eval.flip", "gblur": "data.blur", "bblur": "data.blur", "rmi_loss": "loss.main",
    "img_wt_loss": "loss.main", "jointwtborder": "loss.main", "fp16": "runtime.precision",
    "coarse_boost_classes": "data.extra", "custom_coarse_prob": "data.extra",
    "max_cu_epoch": "data.extra_until",
}  # fmt: skip


def translate_training(values: Values) -> tuple[list[str], list[str], list[str]]:
    """The words of ``hierseg train`` for flags of the original; those words that differ from the
    recipe; and notes.

    Every setting follows the flags, or the original's default if a flag is not given. The recipe is
    the one that needs the fewest words.

    Raises:
        UsageError: A flag has a value that is not valid.
    """
    target = {**NEUTRAL, **_read_plain(values), **_read_joint(values)}
    target |= {name: value for name, value in values.items() if "." in name}
    recipe, changes = _choose_recipe(target)
    base = get_recipe(recipe)
    given = {PLAIN[name].setting for name in values if name in PLAIN}
    given |= {setting for name, setting in _SETTINGS_OF_JOINT.items() if name in values}
    shown = list_changes(base, apply_settings(base, target), given)
    words = [recipe, *make_words(shown)], [recipe, *make_words(changes)]
    return *words, _list_notes(values, target)


def _choose_recipe(target: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The recipe that needs the fewest changes, and the changes."""
    best: tuple[str, Mapping[str, Any]] | None = None
    for recipe in _list_candidates(target):
        base = get_recipe(recipe)
        changes = list_changes(base, apply_settings(base, target))
        if can_be_said(changes) and (best is None or len(changes) < len(best[1])):
            best = recipe, changes
    if best is None:
        raise UsageError("no recipe can be brought to these flags; write it as `recipe:`.")
    return best


def _list_notes(values: Values, target: Mapping[str, Any]) -> list[str]:
    notes = []
    if "snapshot" not in values and not {"model.init_trunk", "model.weights"} & set(values):
        notes.append(
            "without `snapshot` the trunk starts from ImageNet weights where they are available; "
            "name their file as `model.init_trunk: FILE`."
        )
    if "data.root" not in target:
        notes.append("the file names no folder of the data; add `data.root: DIR` to HPARAMS.")
    if {"custom_coarse_prob", "max_cu_epoch"} <= set(values):
        notes.append("'max_cu_epoch' does nothing here: auto-labelled crops stay to the end.")
    return notes


def _list_candidates(target: Mapping[str, Any]) -> list[str]:
    """The recipes of the data set, else all."""
    own = [name for name in RECIPES if get_recipe(name).data.name == target["data.name"]]
    return [*own, *(name for name in RECIPES if name not in own)]


def _read_plain(values: Values) -> dict[str, Any]:
    """Flags that are settings, one for one."""
    target: dict[str, Any] = {}
    for name, plain in PLAIN.items():
        given = values.get(name, plain.default)
        if given is None:
            continue
        found = read_value(name, plain.read, given)
        if found is not None or plain.default is not None:
            target[plain.setting] = found
    return target


def read_value(name: str, read: Callable[[Any], Any], value: Any) -> Any:
    """A flag's value, converted by ``read``; UsageError with the flag's name if not valid."""
    if value is True and read is not bool:
        raise UsageError(f"HPARAMS: '{name}' needs a value.")
    try:
        return read(value)
    except (ValueError, TypeError) as error:
        raise UsageError(f"HPARAMS: '{name}': {error}") from error


def _read_joint(values: Values) -> dict[str, Any]:
    network = find_network(values)
    target: dict[str, Any] = {
        "model.name": network,
        "model.replace_head": "snapshot" in values,
        "eval.flip": bool(values.get("do_flip")),
        "runtime.precision": "fp16" if values.get("fp16") else "fp32",
        "data.blur": "gaussian" if values.get("gblur") else "none",
        **_read_extra(values),
        **_read_loss(values),
        **_read_scales(values, network),
    }
    if values.get("mscale_no3x3"):
        target["model.attention_second"] = False
    if values.get("mscale_dropout"):
        target["model.attention_dropout"] = 0.5
    if values.get("bblur"):
        target["data.blur"] = "bilateral"
    if values.get("only_coarse"):
        target |= {"data.labels": "coarse", "data.train_split": "train_extra"}
    if values.get("scf"):
        target["data.enlarge"] = 2.0
    if values.get("map_crop_val"):
        target |= {"data.val_crop": Size(1536, 1536), "data.val_short_edge": 1536}
    if values.get("test_mode"):
        target["runtime.limit_batches"] = 10
    return target


def find_network(values: Values) -> str:
    """The registry name of an architecture, or the published name if that says more."""
    name = str(values.get("arch", DEFAULT_ARCH))
    if values.get("ocr_aspp"):
        aspp = {"ocrnet.HRNet": "hrnet48-ocraspp", "ocrnet.HRNet_Mscale": "hrnet48-ocraspp-hier"}
        if name not in aspp:
            raise UsageError("HPARAMS: 'ocr_aspp' is of ocrnet.HRNet and ocrnet.HRNet_Mscale.")
        return aspp[name]
    if values.get("attnscale_bn_head") and name == "attnscale.DeepV3R50":
        return "attnscale.DeepV3R50B"
    own, arguments = PUBLISHED_NAMES.get(name, (name, {}))
    if own not in MODELS:
        from hierseg.models import describe_model

        describe_model(own)  # raises for an unknown one
    return name if arguments else own


def is_multi_scale(network: str) -> bool:
    """Whether a network has attention over scales."""
    own = PUBLISHED_NAMES.get(network, (network, {}))[0]
    return own.endswith(("-hier", "-paired", "-explicit", "-fuse", "-fuse2"))


def _read_extra(values: Values) -> dict[str, Any]:
    """Images with coarse, auto- or propagated labels beside the split's own."""
    step = read_value("maxSkip", int, values.get("maxSkip", 0)) or None
    skipped = {"data.extra_step": step, "data.propagated_if_found": False}
    found = _read_labelled(values)
    if step is not None and found["data.extra"] == "none":
        found["data.extra"] = "propagated"
    return {**found, **skipped}


def _read_labelled(values: Values) -> dict[str, Any]:
    if "custom_coarse_prob" in values or "custom_coarse_dropout_classes" in values:
        return {"data.extra": "auto", "data.extra_until": None}
    if "coarse_boost_classes" in values:
        until = read_value("max_cu_epoch", int, values.get("max_cu_epoch", LONGEST_EXTRA))
        return {"data.extra": "coarse", "data.extra_until": until}
    return {"data.extra": "none", "data.extra_until": None}


def _read_loss(values: Values) -> dict[str, Any]:
    names = {
        "rmi_loss": "rmi",
        "img_wt_loss": "image_weighted",
        "jointwtborder": "boundary_relaxed",
    }
    chosen = [flag for flag in names if values.get(flag)]
    if len(chosen) > 1:
        raise UsageError(f"HPARAMS: {' and '.join(chosen)} are losses; give one.")
    main = names[chosen[0]] if chosen else "cross_entropy"
    target: dict[str, Any] = {"loss.main": main}
    if main in ("image_weighted", "boundary_relaxed"):
        target["loss.sum_images"] = read_value("bs_trn", int, values.get("bs_trn", 2))
    return target


def _read_scales(values: Values, network: str) -> dict[str, Any]:
    target: dict[str, Any] = {}
    scales = list_scales(values, is_multi_scale(network))
    target["eval.scales"] = scales
    lowest = read_value("mscale_lo_scale", float, values.get("mscale_lo_scale", 0.5))
    if values.get("three_scale"):
        target["model.train_scales"] = (0.5, 1.0, 2.0)
    elif lowest != 0.5:
        target["model.train_scales"] = (lowest, 1.0)
    return target


def list_scales(values: Values, is_multi: bool) -> tuple[float, ...] | None:
    """The scales of evaluation; None for scale 1 only."""
    if values.get("multi_scale_inference"):
        own = read_value("default_scale", float, values.get("default_scale", 1.0))
        extra = read_value("extra_scales", read_numbers, values.get("extra_scales", "0.5,2.0"))
        return tuple(sorted({own, *extra}))
    if is_multi or ("n_scales" in values and "arch" not in values):
        given: tuple[float, ...] = read_value(
            "n_scales", read_numbers, values.get("n_scales", EVALUATED_AT)
        )
        return given
    return None
