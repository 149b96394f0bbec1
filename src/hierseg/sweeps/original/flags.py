"""What each flag of the original's ``train.py`` is here.

Names and defaults are those that its users' files and scripts have; what they mean is in
docs/coming-from-the-original.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from hierseg.errors import UsageError, shorten
from hierseg.size import Size
from hierseg.wording import find_nearest

Values = Mapping[str, Any]
"""Flag -> value, as a file has them."""


def read_crop(value: Any) -> Size:
    """``"1024,2048"``, or one number for a square."""
    if isinstance(value, list | tuple):
        sides = [int(side) for side in value]
    else:
        sides = [int(side) for side in str(value).replace("x", ",").split(",") if side.strip()]
    if not 1 <= len(sides) <= 2:
        raise ValueError(f"'{shorten(value)}' is no crop; give height,width.")
    return Size(sides[0], sides[-1])


def read_numbers(value: Any) -> tuple[float, ...]:
    """``"0.5,1.0,2.0"``, or a list."""
    if isinstance(value, list | tuple):
        return tuple(map(float, value))
    return tuple(float(part) for part in str(value).replace(",", " ").split())


def read_classes(value: Any) -> tuple[str, ...]:
    """``"5,6,7"``, a list or ``5 6 7``, as words."""
    if isinstance(value, list | tuple):
        return tuple(str(part) for part in value)
    return tuple(str(value).replace(",", " ").split())


def read_epoch(value: Any) -> int | None:
    """An epoch; -1 stands for none."""
    return None if int(value) < 0 else int(value)


def read_channels(value: Any) -> int | None:
    """Channels; 256 is what the networks have by themselves, and some know no other."""
    return None if int(value) == 256 else int(value)


def read_start(value: Any) -> bool | None:
    """What attention starts from: 0.5, or whatever random weights give."""
    if value in (None, False):
        return None
    if float(value) != 0.5:
        raise ValueError(f"attention starts from 0.5 or at random, not from {shorten(value)}.")
    return True


class Plain(NamedTuple):
    """A flag that is a setting of training."""

    setting: str
    read: Callable[[Any], Any] = lambda value: value
    default: Any = None
    """The original's default, where it is not to be left to the recipe."""


PLAIN: Mapping[str, Plain] = {
    "dataset": Plain("data.name", str, "cityscapes"),
    "cv": Plain("data.cv", int, 0),
    "num_workers": Plain("data.workers", int, 4),
    "set_cityscapes_root": Plain("data.root", str),
    "pre_size": Plain("data.long_edge", int),
    "class_uniform_pct": Plain("data.class_uniform", float, 0.5),
    "class_uniform_tile": Plain("data.class_uniform_tile", int, 1024),
    "coarse_boost_classes": Plain("data.boost_classes", read_classes),
    "custom_coarse_dropout_classes": Plain("data.from_coarse", read_classes),
    "custom_coarse_prob": Plain("data.auto_threshold", float),
    "mask_out_cityscapes": Plain("data.mask_outer", bool, False),
    "crop_size": Plain("data.crop", read_crop, "896"),
    "scale_min": Plain("data.scale_min", float, 0.5),
    "scale_max": Plain("data.scale_max", float, 2.0),
    "color_aug": Plain("data.color_jitter", float, 0.25),
    "rand_augment": Plain("data.rand_augment", str),
    "full_crop_training": Plain("data.full_crop", bool),
    "aspp_bot_ch": Plain("model.aspp_channels", read_channels),
    "segattn_bot_ch": Plain("model.attention_channels", read_channels),
    "mscale_init": Plain("model.attention_even", read_start),
    "align_corners": Plain("model.align_corners", bool),
    "freeze_trunk": Plain("model.freeze_trunk", bool, False),
    "grad_ckpt": Plain("model.grad_checkpoint", bool, False),
    "wt_bound": Plain("loss.weight_bound", float, 1.0),
    "batch_weighting": Plain("loss.batch_weights", bool),
    "strict_bdr_cls": Plain("loss.strict_border_classes", read_classes, ()),
    "rlx_off_epoch": Plain("loss.relax_until", read_epoch, -1),
    "ocr_alpha": Plain("loss.auxiliary_weight", float, 0.4),
    "ocr_aux_loss_rmi": Plain("loss.auxiliary_rmi", bool, False),
    "supervised_mscale_loss_wt": Plain("loss.per_scale_weight", float, 0.0),
    "optimizer": Plain("optim.optimizer", str, "sgd"),
    "amsgrad": Plain("optim.amsgrad", bool, False),
    "lr": Plain("optim.lr", float, 0.002),
    "weight_decay": Plain("optim.weight_decay", float, 1e-4),
    "momentum": Plain("optim.momentum", float, 0.9),
    "lr_schedule": Plain("optim.schedule", str, "poly"),
    "poly_exp": Plain("optim.poly_exponent", float, 1.0),
    "poly_step": Plain("optim.turn", int, 110),
    "rescale": Plain("optim.rescale", float, 1.0),
    "repoly": Plain("optim.turn_exponent", float, 1.5),
    "max_epoch": Plain("optim.epochs", int, 180),
    "bs_trn": Plain("data.batch", int, 2),
    "snapshot": Plain("model.weights", str),
    "val_freq": Plain("eval.every", int, 1),
    "deterministic": Plain("runtime.deterministic", bool, False),
}
"""Flags that are settings, one for one."""

JOINT = (
    "scf", "map_crop_val", "maxSkip", "max_cu_epoch", "only_coarse", "gblur", "bblur", "arch",
    "n_scales", "mscale_lo_scale", "three_scale", "ocr_aspp", "attnscale_bn_head", "rmi_loss",
    "img_wt_loss", "jointwtborder", "fp16", "test_mode", "eval", "eval_folder", "do_flip",
    "multi_scale_inference", "extra_scales", "default_scale", "no_metrics", "dump_assets",
    "dump_all_images", "dump_for_submission", "dump_for_auto_labelling", "dump_topn",
    "dump_topn_all", "bs_val", "mscale_no3x3", "mscale_dropout",
)  # fmt: skip
"""Flags whose meaning hangs on others."""

DEAD: Mapping[str, str] = {
    "trunk": "the network's name says its trunk",
    "translate_aug_fix": "a crop for a class always contains its point here",
    "dump_augmentation_images": "`hierseg samples RECIPE --out DIR` writes them",
    "restore_net": "a run that is resumed restores all of its state",
    "restore_optimizer": "a run that is resumed restores all of its state",
    "resume": "a sweep resumes its runs from their own checkpoints",
    "start_epoch": "a run that is resumed knows its epoch",
    "result_dir": "a sweep gives each run a folder; name their place with --out",
    "exp": "a sweep gives each run a folder; name their place with --out",
    "trial": "a sweep gives each run a folder; name their place with --out",
    "summary": "`hierseg plan RECIPE` says it before a run",
    "syncbn": "batch norms of several processes are always synchronised",
    "apex": "the launcher starts the processes",
    "amp_opt_level": "mixed precision has no levels here",
    "local_rank": "the launcher sets it",
    "global_rank": "the launcher sets it",
    "log_msinf_to_tb": "every validation leaves a page with each scale's prediction",
}
"""Flags of which nothing comes, and why."""

REFUSED: Mapping[str, tuple[str, Any]] = {
    "hardnm": ("no paper defines it", 0),
    "brt_aug": ("brightness is part of --data.color-jitter", False),
    "alt_two_scale": ("name the scales with --model.train-scales", False),
    "mscale_old_arch": ("no paper defines it", False),
    "mscale_cat_scale_flt": ("paired attention is another network: hrnet48-paired", False),
    "init_decoder": ("no paper defines it", False),
}
"""Flags that are not taken at any value but the one that changes nothing, and why."""
KNOWN = frozenset({*PLAIN, *JOINT, *DEAD, *REFUSED})


def require_known_flags(names: list[str]) -> None:
    """UsageError for flags that the original has not either; each with the nearest."""
    unknown = [name for name in names if name not in KNOWN]
    if not unknown:
        return
    said = []
    for name in unknown:
        near = find_nearest(name, sorted(KNOWN), least=0.0)
        said.append(f"'{shorten(name)}' (the nearest is '{near}')")
    noun = "flag" if len(said) == 1 else "flags"
    raise UsageError(f"HPARAMS: unknown {noun} {', '.join(said)}.")


def refuse_unsupported(values: Values) -> None:
    """UsageError for flags that would change a run in a way that there is none of here."""
    for name, (why, idle) in REFUSED.items():
        if name in values and values[name] != idle:
            raise UsageError(f"HPARAMS: '{name}' is not supported here: {why}.")


def describe_dead(values: Values) -> list[str]:
    """A sentence for each flag that is given and does nothing."""
    return [f"'{name}' does nothing here: {why}." for name, why in DEAD.items() if name in values]
