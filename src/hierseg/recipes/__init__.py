"""Recipes: functions that return a whole experiment; a variant calls its base and replaces fields.

A recipe's docstring gives the command, the hardware, the time and the mIoU to expect. No torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from hierseg.config import LABEL_RULES, LOSSES_WITH, DataConfig, Experiment, LossConfig
from hierseg.errors import UsageError
from hierseg.recipes.camvid import (
    camvid_hrnet18s,
    camvid_lite0,
    camvid_lite0_auto,
    streetlite,
    streetlite_clear,
    streetlite_finish,
    streetlite_polish,
    streetlite_weather,
)
from hierseg.recipes.cityscapes import (
    cityscapes_deeplabv3plus_wrn38,
    cityscapes_hrnet48_ocr_hier,
    cityscapes_hrnet48_ocr_hier_auto,
)
from hierseg.recipes.mapillary import mapillary_hrnet48_ocr, mapillary_hrnet48_ocr_hier
from hierseg.recipes.streets import streets_lite0
from hierseg.recipes.vplr import (
    vplr_camvid_wrn38,
    vplr_cityscapes_seresnext50,
    vplr_cityscapes_wrn38,
    vplr_kitti_wrn38,
    vplr_mapillary_seresnext50,
    vplr_mapillary_wrn38,
)
from hierseg.wording import find_nearest

__all__ = ["RECIPES", "get_recipe", "list_recipes", "settle_experiment"]

Part = TypeVar("Part", DataConfig, LossConfig)

OF_FILES = (
    "train_split", "val_split", "cv", "labels", "extra", "palette", "auto_root", "boost_classes",
    "auto_threshold", "from_coarse", "coarse_rule", "mask_outer", "extra_until", "extra_step",
    "propagated_root", "propagated_if_found", "also", "also_root", "also_split", "also_share",
)  # fmt: skip
"""Settings of data that only concern files."""

RECIPES: Mapping[str, Callable[[], Experiment]] = {
    "streets-lite0": streets_lite0,
    "streetlite": streetlite,
    "streetlite-finish": streetlite_finish,
    "streetlite-polish": streetlite_polish,
    "streetlite-weather": streetlite_weather,
    "streetlite-clear": streetlite_clear,
    "camvid-lite0": camvid_lite0,
    "camvid-lite0-auto": camvid_lite0_auto,
    "camvid-hrnet18s": camvid_hrnet18s,
    "cityscapes-hrnet48-ocr-hier": cityscapes_hrnet48_ocr_hier,
    "cityscapes-hrnet48-ocr-hier-auto": cityscapes_hrnet48_ocr_hier_auto,
    "cityscapes-deeplabv3plus-wrn38": cityscapes_deeplabv3plus_wrn38,
    "mapillary-hrnet48-ocr-hier": mapillary_hrnet48_ocr_hier,
    "mapillary-hrnet48-ocr": mapillary_hrnet48_ocr,
    "vplr-mapillary-wrn38": vplr_mapillary_wrn38,
    "vplr-mapillary-seresnext50": vplr_mapillary_seresnext50,
    "vplr-cityscapes-wrn38": vplr_cityscapes_wrn38,
    "vplr-cityscapes-seresnext50": vplr_cityscapes_seresnext50,
    "vplr-camvid-wrn38": vplr_camvid_wrn38,
    "vplr-kitti-wrn38": vplr_kitti_wrn38,
}


def list_recipes() -> list[str]:
    """Names of all recipes.

    Returns:
        The names that ``get_recipe`` takes; ``hierseg recipes`` says what each trains.

    Example:
        hierseg.list_recipes()[0]  # "streets-lite0"
    """
    return list(RECIPES)


def get_recipe(name: str) -> Experiment:
    """The experiment of a recipe, to be trained as it is or with some fields replaced.

    Args:
        name: One of ``list_recipes()``.

    Returns:
        A frozen dataclass with the parts ``model``, ``data``, ``loss``, ``optim``, ``eval`` and
        ``runtime``, whose fields are the flags of ``hierseg train``.

    Raises:
        UsageError: There is no such recipe; the nearest name is given.

    Example:
        experiment = hierseg.get_recipe("streets-lite0")
        optim = dataclasses.replace(experiment.optim, epochs=2)
        experiment = dataclasses.replace(experiment, optim=optim)
    """
    if name not in RECIPES:
        near = find_nearest(name, RECIPES, least=0.3)
        hint = f"did you mean '{near}'" if near else "see `hierseg recipes`"
        raise UsageError(f"there is no recipe '{name}'; {hint}.")
    return RECIPES[name]()


def settle_experiment(experiment: Experiment) -> Experiment:
    """The experiment as it is trained: without what its recipe set for a loss or for labels that
    other settings have replaced, and prepared for synthetic data if it is trained on such.

    Settings that differ from the recipe's stay, so that a check can refuse those without effect.
    """
    return use_synthetic(_drop_idle(experiment))


def _drop_idle(experiment: Experiment) -> Experiment:
    if experiment.recipe not in RECIPES:
        return experiment
    recipe, loss, data = RECIPES[experiment.recipe](), experiment.loss, experiment.data
    idle = [name for name, owners in LOSSES_WITH.items() if loss.main not in owners]
    loss = _reset(loss, recipe.loss, idle)
    if data.extra == "none" and data.labels == "fine":
        data = _reset(data, recipe.data, LABEL_RULES)
    return dataclasses.replace(experiment, loss=loss, data=data)


def _reset(part: Part, recipe: Part, names: Iterable[str]) -> Part:
    """The part, with the defaults for those of the settings that are as the recipe has them."""
    same = [name for name in names if getattr(part, name) == getattr(recipe, name)]
    return dataclasses.replace(part, **{name: getattr(type(part)(), name) for name in same})


def use_synthetic(experiment: Experiment) -> Experiment:
    """The experiment prepared for synthetic data if its data are named ``synthetic``; else itself.

    Synthetic data have the classes of the recipe's own data set, and settings about files are
    dropped. With the recipe's network, loss, crop and batch, a run then measures the cost of a step
    without any data.
    """
    from hierseg.data import is_synthetic

    data = experiment.data
    if not is_synthetic(data.name):
        return experiment
    name = data.name
    if ":" not in name and experiment.recipe in RECIPES:
        name = f"{name}:{RECIPES[experiment.recipe]().data.name}"
    plain = {field: getattr(DataConfig(), field) for field in OF_FILES}
    return dataclasses.replace(experiment, data=dataclasses.replace(data, name=name, **plain))
