"""docs/recipes.md and docs/augmentation.md: their figures, their flags, and what they run."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from hierseg.config import Experiment
from hierseg.data.augmentation.rand_augment import ANGLE, SHEAR, SHIFT, STEPS, STRONGEST
from hierseg.options import PRESETS
from hierseg.recipes import RECIPES, get_recipe
from hierseg.settings import list_settings, name_flag
from support.documents import run_blocks

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "recipes.md").read_text(encoding="utf-8")
AUGMENTATION = (DOCS / "augmentation.md").read_text(encoding="utf-8")
ROWS = {
    row[0].strip("` "): row[1:]
    for row in (line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| `"))
}


def test_every_published_recipe_has_a_row_with_its_own_figures() -> None:
    published = [name for name in RECIPES if name.startswith(("cityscapes-", "mapillary", "vplr"))]
    assert set(published) <= set(ROWS)
    for name in published:
        recipe, row = get_recipe(name), " ".join(ROWS[name])
        docstring = inspect.getdoc(RECIPES[name]) or ""
        expected = re.search(r"Expected mIoU: (.*?\d\d\.\d+)?", docstring)
        assert expected is not None
        for figure in re.findall(r"\d\d\.\d+", expected[1] or ""):
            assert figure in row, name
        if "the same" not in row and "as Cityscapes" not in row:
            assert f"{recipe.data.crop}, {recipe.data.batch}" in row
            assert f" {recipe.optim.epochs} " in row


def test_presets_are_as_the_page_says() -> None:
    for name, preset in PRESETS.items():
        scales, flip, edge, _ = (cell.strip() for cell in ROWS[name])
        assert scales == " ".join(f"{scale:g}" for scale in preset.scales or ())
        assert flip == ("yes" if preset.flip else "no")
        assert edge == ("as it is" if preset.long_edge is None else str(preset.long_edge))


@pytest.mark.parametrize("page", [PAGE, AUGMENTATION])
def test_its_flags_are_those_that_there_are(page: str) -> None:
    flags = {name_flag(setting) for setting in list_settings(Experiment().to_dict())}
    named = set(re.findall(r"--(?:data|optim|runtime|loss|eval|model)\.[a-z-]+", page))
    assert len(named) >= 5
    assert named <= flags


def test_rand_augment_is_as_the_page_says() -> None:
    assert len(STEPS) == 14
    assert f"(0 to {STRONGEST}," in AUGMENTATION
    for words in (f"to {ANGLE:g} degrees", f"(to {SHEAR:g})", f"(to {SHIFT:g} of the"):
        assert words in AUGMENTATION


@pytest.mark.slow
def test_samples(tmp_path: Path) -> None:
    assert len(run_blocks(AUGMENTATION, "samples", tmp_path)) == 3
    assert len(list((tmp_path / "seen").glob("e001-*.png"))) == 4
    assert len(list((tmp_path / "seen-later").glob("e020-*.png"))) == 4
