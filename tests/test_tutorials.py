"""The tutorials: their commands, run as they stand there, their flags, and their pictures."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import zipfile
from pathlib import Path
from typing import get_type_hints

import pytest
from huggingface_hub import ModelCard
from PIL import Image

from hierseg.checkpoint import read_header
from hierseg.commands.table import COMMANDS
from support.documents import RUN, run_blocks

DOCS = Path(__file__).resolve().parents[1] / "docs"
FOLDER = DOCS / "tutorials"
TUTORIALS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md"))}


@pytest.mark.slow
def test_your_pictures(tmp_path: Path) -> None:
    assert len(run_blocks(TUTORIALS["pictures"], "pictures", tmp_path)) == 4
    for folder in ("masks", "distinct"):
        assert (tmp_path / folder / "index.html").is_file()
        assert len(list((tmp_path / folder).glob("*_overlay.jpg"))) == 4
    assert len(list((tmp_path / "masks").glob("*_attention_0.5*"))) >= 4


@pytest.mark.slow
def test_your_data(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    assert len(run_blocks(TUTORIALS["data"], "data", tmp_path)) == 9
    header = read_header(tmp_path / "runs" / "mine" / "best.safetensors")
    assert header.label_space.names == ("other", "road", "vehicle")
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["miou"] > 0.7
    assert (tmp_path / "mine.onnx").is_file()
    card = ModelCard.load(tmp_path / "mine-on-the-hub" / "README.md")
    assert card.data.eval_results[0].metric_value == pytest.approx(figures["miou"], abs=1e-3)


@pytest.mark.slow
def test_cityscapes_figures(tmp_path: Path) -> None:
    pytest.importorskip("cityscapesscripts", reason="the extra cityscapes is not installed")
    assert len(run_blocks(TUTORIALS["cityscapes"], "cityscapes", tmp_path)) == 8
    content = json.loads((tmp_path / "val.json").read_text())
    assert content["official"]["largest_difference"] <= 1e-6
    assert (tmp_path / "worst" / "index.html").is_file()
    with zipfile.ZipFile(tmp_path / "submission.zip") as archive:
        assert len(archive.namelist()) == 3


def _list_settings(command: str) -> set[str]:
    """Parameters of a command, and the fields of those that are groups of flags."""
    hints = get_type_hints(COMMANDS[command].load(), include_extras=False)
    groups = [kind for kind in hints.values() if dataclasses.is_dataclass(kind)]
    return {*hints, *(field.name for kind in groups for field in dataclasses.fields(kind))}


@pytest.mark.parametrize("name", TUTORIALS)
def test_commands_and_flags_are_those_that_there_are(name: str) -> None:
    lines = [
        line
        for _, language, text in RUN.findall(TUTORIALS[name])
        if language == "bash"
        for line in text.splitlines()
    ]
    assert len(lines) > 2
    for line in lines:
        program, command, *words = shlex.split(line)
        assert program == "hierseg"
        flags = {"--" + name.rstrip("_").replace("_", "-") for name in _list_settings(command)}
        assert {word for word in words if word.startswith("--")} <= flags, line


@pytest.mark.parametrize("name", TUTORIALS)
def test_pictures_are_there_and_small(name: str) -> None:
    pictures = re.findall(r"!\[(.+)\]\((.+)\)", TUTORIALS[name])
    assert pictures
    for said, path in pictures:
        assert len(said) > 10
        assert (FOLDER / path).stat().st_size < 200_000
        with Image.open(FOLDER / path) as picture:
            assert picture.width >= 400


def test_every_picture_is_shown() -> None:
    drawn = {path.name for path in (DOCS / "images" / "tutorials").iterdir()}
    shown = set(re.findall(r"images/tutorials/([\w.]+)", "".join(TUTORIALS.values())))
    assert drawn == shown
