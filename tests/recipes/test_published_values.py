"""Every published recipe against what the original's scripts set, value by value.

``SCRIPTS`` and ``DEFAULTS`` are the published flags and their values; ``READERS`` says where ours
are. A difference needs an entry in ``DIFFERENCES``, and the recipe's docstring the words in it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from hierseg.config import Experiment
from hierseg.models.catalog import PUBLISHED_NAMES
from hierseg.recipes import RECIPES, get_recipe
from hierseg.size import Size

DEFAULTS: dict[str, Any] = {
    "dataset": "cityscapes",
    "splits": "train",
    "cv": 0,
    "num_workers": 4,
    "pre_size": None,
    "map_crop_val": False,
    "scf": False,
    "class_uniform_pct": 0.5,
    "class_uniform_tile": 1024,
    "max_cu_epoch": 150,
    "coarse_boost_classes": None,
    "auto_labels": False,
    "custom_coarse_dropout_classes": None,
    "custom_coarse_prob": None,
    "mask_out_cityscapes": False,
    "only_coarse": False,
    "crop_size": (896, 896),
    "scale_min": 0.5,
    "scale_max": 2.0,
    "color_aug": 0.25,
    "gblur": False,
    "bblur": False,
    "rand_augment": None,
    "full_crop_training": False,
    "n_scales": (0.5, 1.0, 2.0),
    "mscale_lo_scale": 0.5,
    "freeze_trunk": False,
    "rmi_loss": False,
    "img_wt_loss": False,
    "wt_bound": 1.0,
    "batch_weighting": False,
    "jointwtborder": False,
    "strict_bdr_cls": (),
    "rlx_off_epoch": -1,
    "ocr_alpha": 0.4,
    "ocr_aux_loss_rmi": False,
    "supervised_mscale_loss_wt": 0,
    "optimizer": "sgd",
    "amsgrad": False,
    "lr": 0.002,
    "weight_decay": 1e-4,
    "momentum": 0.9,
    "lr_schedule": "poly",
    "poly_exp": 1.0,
    "poly_step": 110,
    "rescale": 1.0,
    "repoly": 1.5,
    "max_epoch": 180,
    "bs_trn": 2,
    "val_freq": 1,
    "precision": "fp16",
}

FINE = {
    "arch": "ocrnet.HRNet_Mscale",
    "crop_size": (1024, 2048),
    "rmi_loss": True,
    "supervised_mscale_loss_wt": 0.05,
    "poly_exp": 2.0,
    "lr": 5e-3,
    "max_epoch": 175,
    "bs_trn": 1,
}
MAPILLARY = {
    "arch": "ocrnet.HRNet_Mscale",
    "dataset": "mapillary",
    "pre_size": 2177,
    "crop_size": (1024, 1024),
    "gblur": True,
    "rmi_loss": True,
    "lr": 5e-3,
    "max_epoch": 200,
}
VPLR_MAPILLARY = {
    "arch": "network.deepv3.DeepWV3Plus",
    "dataset": "mapillary",
    "map_crop_val": True,
    "gblur": True,
    "img_wt_loss": True,
    "wt_bound": 6.0,
    "lr": 2e-2,
    "max_epoch": 175,
}
VPLR_CITYSCAPES = {
    "arch": "network.deepv3.DeepWV3Plus",
    "cv": 2,
    "gblur": True,
    "coarse_boost_classes": {14, 15, 16, 3, 12, 17, 4},
    "max_cu_epoch": 150,
    "jointwtborder": True,
    "rlx_off_epoch": 100,
    "strict_bdr_cls": (5, 6, 7, 11, 12, 17, 18),
    "lr_schedule": "scl-poly",
    "poly_step": 100,
    "lr": 1e-3,
    "max_epoch": 175,
}
SRNX50 = "network.deepv3.DeepSRNX50V3PlusD_m1"
SCRIPTS: dict[str, dict[str, Any]] = {
    "cityscapes-hrnet48-ocr-hier": FINE,
    "cityscapes-hrnet48-ocr-hier-auto": {
        **FINE,
        "auto_labels": True,
        "coarse_boost_classes": {3, 4, 6, 7, 9, *range(11, 19)},
        "custom_coarse_dropout_classes": {14, 15, 16},
        "custom_coarse_prob": 0.5,
        "mask_out_cityscapes": True,
        "max_cu_epoch": 150,
        "lr": 1e-2,
    },
    "cityscapes-deeplabv3plus-wrn38": {
        "arch": "deepv3.DeepV3PlusW38",
        "crop_size": (800, 800),
        "poly_exp": 2.0,
        "lr": 5e-3,
        "max_epoch": 175,
        "bs_trn": 1,
    },
    "mapillary-hrnet48-ocr-hier": MAPILLARY,
    # Its script was not published; it is compared with the hierarchical network's.
    "mapillary-hrnet48-ocr": MAPILLARY,
    "vplr-mapillary-wrn38": VPLR_MAPILLARY,
    "vplr-mapillary-seresnext50": {**VPLR_MAPILLARY, "arch": SRNX50},
    "vplr-cityscapes-wrn38": VPLR_CITYSCAPES,
    "vplr-cityscapes-seresnext50": {**VPLR_CITYSCAPES, "arch": SRNX50, "cv": 0},
    "vplr-kitti-wrn38": {
        "arch": "network.deepv3.DeepWV3Plus",
        "dataset": "kitti",
        "cv": 2,
        "crop_size": (360, 360),
        "scale_min": 1.0,
        "scale_max": 2.0,
        "class_uniform_tile": 300,
        "img_wt_loss": True,
        "lr": 1e-3,
        "max_epoch": 90,
    },
    # No script: what the paper says, and what of Cityscapes' can be meant.
    "vplr-camvid-wrn38": {
        "arch": "network.deepv3.DeepWV3Plus",
        "dataset": "camvid",
        "splits": "train+val",
        "pre_size": 960,
        "jointwtborder": True,
        "rlx_off_epoch": 100,
        "strict_bdr_cls": (5, 6, 7, 11, 12, 17, 18),
        "lr_schedule": "scl-poly",
        "poly_step": 100,
        "lr": 1e-3,
        "max_epoch": 175,
        "gblur": True,
    },
}

DIFFERENCES: dict[tuple[str, str], tuple[Any, str]] = {
    ("cityscapes-hrnet48-ocr-hier-auto", "max_cu_epoch"): (
        None,
        "max_cu_epoch to 150, which had no effect",
    ),
    ("mapillary-hrnet48-ocr", "arch"): ("hrnet48-ocr", "No script of it was published"),
    ("vplr-camvid-wrn38", "crop_size"): ((640, 640), "Crop, tile"),
    ("vplr-camvid-wrn38", "class_uniform_tile"): (128, "are chosen here"),
    ("vplr-camvid-wrn38", "strict_bdr_cls"): (
        ("pole", "sign", "pedestrian", "bicyclist"),
        "the strict classes are Cityscapes' by their names here",
    ),
}
"""Recipe and flag to our value, and the words of the docstring that say so and why."""
OF_ALL = {"precision": ("bf16", "mixed bf16, which needs no scaling of the loss, in place of fp16")}


def _numbers(names: tuple[str, ...] | None) -> Any:
    if names is None:
        return None
    return tuple(int(name) if name.isdigit() else name for name in names)


def _boosted(recipe: Experiment) -> Any:
    if recipe.data.extra in ("none", "propagated"):
        return None
    # What None stands for: test_rules has it.
    given = recipe.data.boost_classes
    return {3, 4, 6, 7, 9, *range(11, 19)} if given is None else set(_numbers(given))


def _from_coarse(recipe: Experiment) -> Any:
    if recipe.data.extra != "auto":
        return None
    assert recipe.data.coarse_rule == "union"
    given = recipe.data.from_coarse
    return {14, 15, 16} if given is None else set(_numbers(given))


READERS: Mapping[str, Callable[[Experiment], Any]] = {
    "arch": lambda r: r.model.name,
    "dataset": lambda r: r.data.name,
    "splits": lambda r: r.data.train_split,
    "cv": lambda r: r.data.cv,
    "num_workers": lambda r: r.data.workers,
    "pre_size": lambda r: r.data.long_edge,
    "map_crop_val": lambda r: (r.data.val_short_edge, r.data.val_crop) == (1536, Size(1536, 1536)),
    "scf": lambda r: r.data.enlarge == 2,
    "class_uniform_pct": lambda r: r.data.class_uniform,
    "class_uniform_tile": lambda r: r.data.class_uniform_tile,
    "max_cu_epoch": lambda r: r.data.extra_until,
    "coarse_boost_classes": _boosted,
    "auto_labels": lambda r: r.data.extra == "auto",
    "custom_coarse_dropout_classes": _from_coarse,
    "custom_coarse_prob": lambda r: r.data.auto_threshold if r.data.extra == "auto" else None,
    "mask_out_cityscapes": lambda r: r.data.mask_outer,
    "only_coarse": lambda r: r.data.labels == "coarse",
    "crop_size": lambda r: tuple(r.data.crop),
    "scale_min": lambda r: r.data.scale_min,
    "scale_max": lambda r: r.data.scale_max,
    "color_aug": lambda r: r.data.color_jitter,
    "gblur": lambda r: r.data.blur == "gaussian",
    "bblur": lambda r: r.data.blur == "bilateral",
    "rand_augment": lambda r: r.data.rand_augment,
    "full_crop_training": lambda r: r.data.full_crop,
    "n_scales": lambda r: r.eval.scales,
    "mscale_lo_scale": lambda r: min(r.model.train_scales or (0.5, 1.0)),
    "freeze_trunk": lambda r: r.model.freeze_trunk,
    "rmi_loss": lambda r: r.loss.main == "rmi",
    "img_wt_loss": lambda r: r.loss.main == "image_weighted",
    "wt_bound": lambda r: r.loss.weight_bound,
    "batch_weighting": lambda r: r.loss.batch_weights,
    "jointwtborder": lambda r: r.loss.main == "boundary_relaxed",
    "strict_bdr_cls": lambda r: _numbers(r.loss.strict_border_classes),
    "rlx_off_epoch": lambda r: -1 if r.loss.relax_until is None else r.loss.relax_until,
    "ocr_alpha": lambda r: r.loss.auxiliary_weight,
    "ocr_aux_loss_rmi": lambda r: r.loss.auxiliary_rmi,
    "supervised_mscale_loss_wt": lambda r: r.loss.per_scale_weight,
    "optimizer": lambda r: r.optim.optimizer,
    "amsgrad": lambda r: r.optim.amsgrad,
    "lr": lambda r: r.optim.lr,
    "weight_decay": lambda r: r.optim.weight_decay,
    "momentum": lambda r: r.optim.momentum,
    "lr_schedule": lambda r: r.optim.schedule,
    "poly_exp": lambda r: r.optim.poly_exponent,
    "poly_step": lambda r: r.optim.turn,
    "rescale": lambda r: r.optim.rescale,
    "repoly": lambda r: r.optim.turn_exponent,
    "max_epoch": lambda r: r.optim.epochs,
    "bs_trn": lambda r: r.data.batch,
    "val_freq": lambda r: r.eval.every,
    "precision": lambda r: r.runtime.precision,
}


def _list_silent(script: Mapping[str, Any]) -> set[str]:
    """Flags that say nothing beside what the script sets."""
    silent = set()
    if not script["coarse_boost_classes"]:
        silent |= {"max_cu_epoch"}
    if script["lr_schedule"] != "scl-poly":
        silent |= {"poly_step", "rescale", "repoly"}
    if not script["arch"].endswith("_Mscale"):
        silent |= {"n_scales", "mscale_lo_scale", "supervised_mscale_loss_wt"}
    return silent


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_recipe_is_what_was_published(name: str) -> None:
    recipe = get_recipe(name)
    script = DEFAULTS | SCRIPTS[name]
    assert set(script) == set(READERS)
    said = " ".join((inspect.getdoc(RECIPES[name]) or "").split())
    silent = _list_silent(script)
    if name == "mapillary-hrnet48-ocr":  # at one scale there are none
        silent |= {"n_scales", "mscale_lo_scale", "supervised_mscale_loss_wt"}
    explained = dict(OF_ALL)
    explained |= {flag: found for (own, flag), found in DIFFERENCES.items() if own == name}
    for flag, published in script.items():
        ours = READERS[flag](recipe)
        if flag == "arch":
            published = PUBLISHED_NAMES[published][0]
        if flag in explained:
            expected, words = explained[flag]
            assert ours == expected, flag
            assert ours != published, f"{flag} is as published; it needs no explanation"
            assert words in said, flag
        elif flag not in silent:
            assert ours == published, flag


def test_every_published_recipe_is_compared() -> None:
    published = {
        name for name in RECIPES if name.startswith(("cityscapes-", "mapillary-", "vplr-"))
    }
    assert set(SCRIPTS) == published
    assert {name for name, _ in DIFFERENCES} <= published


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_every_script_has_besides(name: str) -> None:
    recipe = get_recipe(name)
    assert recipe.data.flip == 0.5
    assert recipe.runtime.sync_norm
    optim = recipe.optim
    assert (optim.schedule_unit, optim.warmup_steps, optim.clip_norm) == ("epoch", 0, 0)
    assert (optim.decay_norms, optim.trunk_lr_factor, optim.ema_decay) == (True, 1, 0)
    # Losses of whole images are summed over the two of a process, and averaged over processes.
    sums = recipe.loss.main in ("image_weighted", "boundary_relaxed")
    assert recipe.loss.sum_images == (2 if sums else None)
    assert recipe.loss.weighting == "share"
    assert recipe.loss.lovasz_weight == 0


def test_the_upright_images_of_mapillary_are_explained() -> None:
    said = inspect.getdoc(RECIPES["vplr-mapillary-wrn38"]) or ""
    assert "differs in upright images alone" in said


def test_the_figures_of_the_papers_are_said() -> None:
    for name, figures in {
        "cityscapes-hrnet48-ocr-hier": ("84.7",),
        "cityscapes-hrnet48-ocr-hier-auto": ("86.8",),
        "mapillary-hrnet48-ocr-hier": ("61.05",),
        "vplr-cityscapes-wrn38": ("81.4", "83.5", "14 hours"),
        "vplr-cityscapes-seresnext50": ("80.0", "9 hours"),
        "vplr-kitti-wrn38": ("72.8",),
        "vplr-camvid-wrn38": ("82.9",),
    }.items():
        said = inspect.getdoc(RECIPES[name]) or ""
        assert all(figure in said for figure in figures), name
