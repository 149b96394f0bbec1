"""Settings of a loss that another loss has not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hierseg.assembly.checks import check_experiment
from hierseg.errors import UsageError
from hierseg.recipes import get_recipe


@pytest.mark.parametrize(
    ("changes", "cure"),
    [
        (
            {"main": "rmi"},
            "--loss.weight-bound 1, or --loss.main image_weighted or boundary_relaxed",
        ),
        (
            {"main": "rmi", "weight_bound": 1.0},
            "--loss.weighting share, or --loss.main image_weighted",
        ),
        ({"auxiliary_rmi": True}, "--loss.no-auxiliary-rmi, or --loss.main rmi"),
        ({"relax_until": 3}, "--loss.relax-until None, or --loss.main boundary_relaxed"),
        ({"strict_border_classes": ("1",)}, "--loss.strict-border-classes without classes, or"),
    ],
)
def test_the_cure_is_one_also_where_the_recipe_set_it(
    changes: dict[str, object], cure: str
) -> None:
    recipe = get_recipe("camvid-lite0")
    loss = dataclasses.replace(recipe.loss, **changes)  # type: ignore[arg-type]
    data = dataclasses.replace(recipe.data, root=Path("camvid"))
    wrong = dataclasses.replace(recipe, loss=loss, data=data)
    with pytest.raises(UsageError, match=cure):
        check_experiment(wrong)
