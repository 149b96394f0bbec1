"""`--palette` and `--colors`: the colours of classes, on every page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hierseg.cli import main
from hierseg.commands.colors import choose_palette
from hierseg.commands.serve import _load
from hierseg.labels import CAMVID, CITYSCAPES
from hierseg.media import recolor
from hierseg.options import WHOLE
from hierseg.size import Size
from hierseg.streets.layouts import draw_scenes, write_cityscapes


def test_no_palette_leaves_the_colours() -> None:
    assert choose_palette(CAMVID, None) is CAMVID
    assert choose_palette(CAMVID, "dataset") == CAMVID
    assert choose_palette(CAMVID, "colorblind") == recolor(CAMVID, "colorblind") != CAMVID


def test_the_served_model_has_the_palette(checkpoint: Path) -> None:
    for palette in (None, "distinct"):
        model = _load(str(checkpoint), "cpu", WHOLE, palette)  # type: ignore[arg-type]
        expected = choose_palette(CITYSCAPES, palette).colors  # type: ignore[arg-type]
        shown = [one["color"] for one in model.describe()["classes"]]
        assert [tuple(color) for color in shown] == list(expected)


def test_the_pages_of_evaluate_have_it(checkpoint: Path, tmp_path: Path) -> None:
    write_cityscapes(tmp_path, draw_scenes(3, Size(64, 96)))
    words = ["evaluate", "--data", "cityscapes", "--root", str(tmp_path), "--scales", "1"]
    words += ["--weights", str(checkpoint), "--limit", "1", "--colors", "distinct"]
    assert main([*words, "--save-panels", str(tmp_path / "panels")]) == 0
    [truth] = (tmp_path / "panels").rglob("*truth*.png")
    pixels = np.asarray(Image.open(truth).convert("RGB")).reshape(-1, 3)
    shown = {tuple(color) for color in pixels.tolist()}
    distinct = {*recolor(CITYSCAPES, "distinct").colors, (0, 0, 0)}
    assert shown <= distinct
    assert not shown <= {*CITYSCAPES.colors, (0, 0, 0)}


@pytest.mark.parametrize(
    "words", [["predict", "a"], ["serve"], ["demo", "--out", "a"], ["finetune", "a"]]
)
def test_a_mistyped_palette_gets_the_nearest(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*words, "--palette", "colourblind"])
    assert "did you mean 'colorblind'" in " ".join(capsys.readouterr().err.split())
