"""Recipes: functions that return a whole experiment; a variant calls its base and replaces fields.

A recipe's docstring gives the command, the hardware, the time and the mIoU to expect. No torch.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping

from hierseg.config import Experiment
from hierseg.errors import UsageError
from hierseg.recipes.camvid import camvid_hrnet18s, camvid_lite0, camvid_lite0_auto
from hierseg.recipes.streets import streets_lite0

__all__ = ["RECIPES", "get_recipe", "list_recipes"]

RECIPES: Mapping[str, Callable[[], Experiment]] = {
    "streets-lite0": streets_lite0,
    "camvid-lite0": camvid_lite0,
    "camvid-lite0-auto": camvid_lite0_auto,
    "camvid-hrnet18s": camvid_hrnet18s,
}


def list_recipes() -> list[str]:
    """Names of all recipes."""
    return list(RECIPES)


def get_recipe(name: str) -> Experiment:
    """The experiment of a recipe; UsageError with the nearest name where there is none."""
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1, cutoff=0.3)
        hint = f"did you mean '{near[0]}'" if near else "see `hierseg recipes`"
        raise UsageError(f"there is no recipe '{name}'; {hint}.")
    return RECIPES[name]()
