from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

import pytest

from hierseg import assembly as build
from hierseg.config import Experiment
from hierseg.errors import UsageError
from hierseg.recipes import RECIPES, get_recipe, list_recipes, use_synthetic


def test_the_recipes_are_there() -> None:
    assert {"streets-lite0", "camvid-lite0", "camvid-hrnet18s"} <= set(list_recipes())


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_a_possible_experiment_of_its_name(name: str) -> None:
    experiment = get_recipe(name)
    assert isinstance(experiment, Experiment)
    assert experiment.recipe == name
    placed = dataclasses.replace(
        experiment,
        data=dataclasses.replace(experiment.data, root=Path("data")),
        runtime=dataclasses.replace(experiment.runtime, out=Path("run"), device="cpu"),
    )
    build.check_experiment(placed)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_says_command_hardware_time_and_result(name: str) -> None:
    lines = (inspect.getdoc(RECIPES[name]) or "").splitlines()
    said = {line.split(":", 1)[0] for line in lines if re.match(r"[A-Z][\w ]*: \S", line)}
    assert {"Command", "Hardware", "Time", "Expected mIoU"} <= said
    assert any(line.startswith(f"Command: hierseg train {name} --data.root ") for line in lines)


def test_an_unknown_recipe_gets_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"did you mean 'camvid-lite0'"):
        get_recipe("camvid-lite")
    with pytest.raises(UsageError, match="hierseg recipes"):
        get_recipe("zzzzzzz")


def test_made_up_data_have_the_recipes_classes_and_nothing_of_files() -> None:
    recipe = get_recipe("vplr-cityscapes-wrn38")
    assert use_synthetic(recipe) is recipe
    data = dataclasses.replace(recipe.data, name="synthetic", batch=3)
    made_up = use_synthetic(dataclasses.replace(recipe, data=data))
    kept = {"crop", "scale_min", "scale_max", "color_jitter", "blur", "class_uniform", "batch"}
    for field in kept:
        assert getattr(made_up.data, field) == getattr(data, field)
    assert made_up.data.name == "synthetic:cityscapes"
    assert (made_up.data.extra, made_up.data.boost_classes, made_up.data.cv) == ("none", None, 0)
    assert use_synthetic(made_up) == made_up
    custom = Experiment(data=dataclasses.replace(data, extra="none"))
    assert use_synthetic(custom).data.name == "synthetic"
