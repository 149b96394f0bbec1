"""The published recipes: their figures, and each of them run at reduced width on miniature data."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hierseg.checkpoint.format import read_header
from hierseg.config import Experiment
from hierseg.models import catalog
from hierseg.recipes import RECIPES, get_recipe
from hierseg.size import Size
from hierseg.streets.layouts import LAYOUTS, Scene, draw_scenes
from hierseg.training.loop import train
from support.published_files import NARROW

PUBLISHED = tuple(
    name for name in RECIPES if name.startswith(("cityscapes-", "mapillary-", "vplr-"))
)

# METHOD section 5's table: crop, batch a process, rate, exponent, epochs.
TABLE: dict[str, tuple[Size, int, float, float, int]] = {
    "cityscapes-hrnet48-ocr-hier": (Size(1024, 2048), 1, 5e-3, 2, 175),
    "cityscapes-hrnet48-ocr-hier-auto": (Size(1024, 2048), 1, 1e-2, 2, 175),
    "cityscapes-deeplabv3plus-wrn38": (Size(800, 800), 1, 5e-3, 2, 175),
    "mapillary-hrnet48-ocr-hier": (Size(1024, 1024), 2, 5e-3, 1, 200),
    "mapillary-hrnet48-ocr": (Size(1024, 1024), 2, 5e-3, 1, 200),
    "vplr-cityscapes-wrn38": (Size(896, 896), 2, 1e-3, 1, 175),
}


@pytest.mark.parametrize("name", TABLE)
def test_the_figures_are_those_of_the_table(name: str) -> None:
    recipe = get_recipe(name)
    optim = recipe.optim
    found = (recipe.data.crop, recipe.data.batch, optim.lr, optim.poly_exponent, optim.epochs)
    assert found == TABLE[name]
    assert (optim.optimizer, optim.momentum, optim.weight_decay) == ("sgd", 0.9, 1e-4)
    assert (optim.schedule_unit, optim.warmup_steps, optim.decay_norms) == ("epoch", 0, True)
    assert (recipe.data.class_uniform, recipe.data.class_uniform_tile) == (0.5, 1024)
    assert (recipe.data.scale_min, recipe.data.scale_max) == (0.5, 2.0)
    assert (recipe.data.color_jitter, recipe.data.flip) == (0.25, 0.5)


def test_what_else_the_table_notes() -> None:
    fine = get_recipe("cityscapes-hrnet48-ocr-hier")
    best = get_recipe("cityscapes-hrnet48-ocr-hier-auto")
    assert (fine.loss.main, fine.loss.per_scale_weight, fine.loss.auxiliary_weight) == (
        "rmi",
        0.05,
        0.4,
    )
    assert (fine.data.extra, best.data.extra, best.data.extra_until) == ("none", "auto", None)
    assert best.loss == fine.loss
    vistas = get_recipe("mapillary-hrnet48-ocr-hier")
    assert (vistas.data.long_edge, vistas.data.blur, vistas.loss.main) == (2177, "gaussian", "rmi")
    vplr = get_recipe("vplr-cityscapes-wrn38")
    assert (vplr.loss.main, vplr.loss.relax_until) == ("boundary_relaxed", 100)
    assert vplr.loss.strict_border_classes == ("5", "6", "7", "11", "12", "17", "18")
    assert (vplr.optim.schedule, vplr.optim.turn, vplr.optim.rescale) == ("scl-poly", 100, 1.0)
    assert vplr.optim.turn_exponent == 1.5


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return draw_scenes(6, Size(64, 128))


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a network of its kind, narrow and shallow, in the place of a published one."""

    def replace(name: str) -> None:
        row = catalog.MODELS[name]
        widths: dict[str, Any] = dict(NARROW["hrnet" if row.builder == "hrnet_ocr" else "deeplab"])
        if row.builder == "hrnet_ocr":
            widths["small"] = True
        if row.arguments.get("trunk") == "seresnext50":
            widths = dict(NARROW["seresnext"])
        small = row._replace(arguments={**row.arguments, **widths, "attention_channels": 4})
        monkeypatch.setitem(catalog.MODELS, name, small)  # type: ignore[arg-type]

    return replace


def _reduce(recipe: Experiment, root: Path, out: Path) -> Experiment:
    """The recipe on a CPU, on small images, in three epochs; all else is its own."""
    data = recipe.data
    part = dataclasses.replace
    return part(
        recipe,
        model=part(recipe.model, pretrained=False),
        data=part(
            data,
            root=root,
            crop=Size(64, 96),
            long_edge=None if data.long_edge is None else 112,
            val_short_edge=None if data.val_short_edge is None else 80,
            val_crop=None if data.val_crop is None else Size(80, 80),
            class_uniform_tile=32,
            extra_until=None if data.extra_until is None else 2,
            batch=2,
            workers=0,
        ),
        loss=part(recipe.loss, relax_until=None if recipe.loss.relax_until is None else 1),
        optim=part(recipe.optim, epochs=3, turn=1),
        eval=part(recipe.eval, every=3),
        runtime=part(
            recipe.runtime, out=out, device="cpu", precision="fp32", log_every=1, limit_batches=1
        ),
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_recipe_trains_and_evaluates(
    name: str, scenes: list[Scene], narrow: Callable[[str], None], tmp_path: Path
) -> None:
    recipe = get_recipe(name)
    narrow(recipe.model.name)
    root = LAYOUTS[recipe.data.name](tmp_path / "data", scenes)
    run = train(_reduce(recipe, root, tmp_path / "run")).folder

    header = read_header(run / "last.safetensors")
    assert header.label_space.num_classes == {"mapillary": 65, "camvid": 11}.get(
        recipe.data.name, 19
    )
    assert header.record["recipe"] == name
    assert header.record["miou"] >= 0
    with (run / "steps.csv").open() as rows:
        steps = list(csv.DictReader(rows))
    assert len(steps) >= 3
    rates = [float(step["lr"]) / recipe.optim.lr for step in steps]
    exponent = recipe.optim.poly_exponent
    expected = [1, (2 / 3) ** exponent, (1 / 3) ** exponent]
    if recipe.optim.schedule == "scl-poly":
        expected = [1, 1, 0.5**1.5]  # the turn is at epoch 1 of 3
    assert sorted({round(rate, 4) for rate in rates}, reverse=True) == sorted(
        {round(rate, 4) for rate in expected}, reverse=True
    )
    assert all(float(step["loss"]) == float(step["loss"]) for step in steps)
    assert bool(steps[0]["auxiliary"]) == ("ocr" in recipe.model.name)


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("cityscapes-hrnet48-ocr-hier-auto", 19),
        ("vplr-mapillary-wrn38", 65),
        ("vplr-kitti-wrn38", 19),
        ("vplr-camvid-wrn38", 11),
    ],
)
def test_a_published_recipe_can_be_timed_without_data(
    name: str, classes: int, narrow: Callable[[str], None], tmp_path: Path
) -> None:
    recipe = get_recipe(name)
    narrow(recipe.model.name)
    reduced = _reduce(recipe, tmp_path / "nowhere", tmp_path / "run")
    data = dataclasses.replace(reduced.data, name="synthetic", root=None)
    optim = dataclasses.replace(reduced.optim, epochs=1)
    run = train(dataclasses.replace(reduced, data=data, optim=optim)).folder
    header = read_header(run / "last.safetensors")
    assert header.label_space.num_classes == classes
    with (run / "steps.csv").open() as rows:
        assert math.isfinite(float(next(csv.DictReader(rows))["loss"]))
    assert (run / "data.csv").read_text().count("\n") == 1  # no files
    assert not (tmp_path / "nowhere").exists()
