"""docs/python.md: its examples, run as they stand there, and the names that it lists."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from PIL import Image

import hierseg
from hierseg.inference import Prediction
from hierseg.size import Size
from hierseg.streets.rendering import draw_street
from support.documents import run_blocks

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "python.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_examples_run(tmp_path: Path) -> None:
    image, _ = draw_street(0, Size(96, 160))
    Image.fromarray(image).save(tmp_path / "street.jpg")
    assert len(run_blocks(PAGE, "python", tmp_path)) == 11
    assert (tmp_path / "runs" / "first" / "best.safetensors").is_file()
    assert Image.open(tmp_path / "overlay.png").size == (160, 96)


def test_every_name_of_the_face_is_there() -> None:
    for name in hierseg.__all__:
        assert f"`{name}`" in PAGE or name == "__version__"


def test_all_that_a_prediction_has_is_there() -> None:
    named = [name for name in dir(Prediction) if not name.startswith("_")]
    named += [field.name for field in fields(Prediction)]
    for name in named:
        assert re.search(rf"`{name}[(`]", PAGE), name
