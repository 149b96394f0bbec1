"""Settings of a loss or of labels that another loss, or other labels, have not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from hierseg.assembly.checks import check_experiment
from hierseg.config import DataConfig, Experiment, LossConfig
from hierseg.errors import UsageError
from hierseg.recipes import get_recipe, settle_experiment


def _change(name: str, **parts: dict[str, Any]) -> Experiment:
    recipe = get_recipe(name)
    changed = {
        part: dataclasses.replace(getattr(recipe, part), **changes)
        for part, changes in {"data": {}, **parts}.items()
    }
    changed["data"] = dataclasses.replace(changed["data"], root=Path("data"), workers=0)
    changed["runtime"] = dataclasses.replace(
        recipe.runtime, out=Path("out"), device="cpu", precision="fp32"
    )
    return dataclasses.replace(recipe, **changed)


@pytest.mark.parametrize("main", ["rmi", "cross_entropy"])
def test_another_loss_needs_nothing_of_what_the_recipe_set_for_its_own(main: str) -> None:
    settled = settle_experiment(_change("camvid-lite0", loss={"main": main}))
    check_experiment(settled)
    plain, recipe = LossConfig(), get_recipe("camvid-lite0").loss
    assert settled.loss == dataclasses.replace(
        recipe, main=main, weighting=plain.weighting, weight_bound=plain.weight_bound
    )
    untouched = _change("camvid-lite0")
    assert settle_experiment(untouched) == untouched


def test_fine_labels_alone_need_nothing_of_what_the_recipe_set_for_others() -> None:
    settled = settle_experiment(_change("vplr-cityscapes-wrn38", data={"extra": "none"}))
    check_experiment(settled)
    assert settled.data.boost_classes is None
    with_coarse = _change("vplr-cityscapes-wrn38")
    assert settle_experiment(with_coarse).data.boost_classes is not None


@pytest.mark.parametrize(
    ("recipe", "part", "changes", "flag"),
    [
        ("camvid-lite0", "loss", {"main": "rmi", "weight_bound": 0.5}, "--loss.weight-bound"),
        ("camvid-lite0", "loss", {"auxiliary_rmi": True}, "--loss.auxiliary-rmi"),
        ("camvid-lite0", "loss", {"relax_until": 3}, "--loss.relax-until"),
        ("camvid-lite0", "data", {"mask_outer": True}, "--data.mask-outer"),
        (
            "vplr-cityscapes-wrn38",
            "data",
            {"extra": "none", "boost_classes": ("3",)},
            "--data.boost-classes",
        ),
    ],
)
def test_what_somebody_set_without_effect_is_refused(
    recipe: str, part: str, changes: dict[str, Any], flag: str
) -> None:
    wrong = settle_experiment(_change(recipe, **{part: changes}))
    with pytest.raises(UsageError, match=f"{flag} has no effect on .*; leave it out"):
        check_experiment(wrong)


def test_every_setting_named_is_one() -> None:
    from hierseg.config import LABEL_RULES, LOSSES_WITH

    assert set(LOSSES_WITH) <= {field.name for field in dataclasses.fields(LossConfig)}
    assert set(LABEL_RULES) <= {field.name for field in dataclasses.fields(DataConfig)}
