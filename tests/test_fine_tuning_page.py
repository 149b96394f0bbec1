"""docs/fine-tuning.md: its commands, run as they stand there, and the flags that it names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hierseg.checkpoint.format import read_header
from hierseg.cli import SHORT_FLAGS
from hierseg.config import Experiment
from hierseg.settings import list_settings, name_flag
from support.documents import run_blocks, write_files
from support.shapes import draw_blocks, write_image

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "fine-tuning.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_its_commands(tmp_path: Path) -> None:
    assert len(run_blocks(PAGE, "same", tmp_path)) == 4
    assert write_files(PAGE, tmp_path) == ["my.yaml"]
    assert len(run_blocks(PAGE, "other", tmp_path)) == 5
    assert len(list((tmp_path / "seen").glob("*.png"))) == 4
    for run, classes in (("finer", 19), ("my", 4), ("my2", 4)):
        header = read_header(tmp_path / "runs" / run / "last.safetensors")
        assert header.label_space.num_classes == classes
        described = json.loads((tmp_path / "runs" / run / "run.json").read_text())
        assert described["config"]["model"]["weights"] in ("streets-lite0", "runs/my")


@pytest.mark.slow
def test_the_one_command(tmp_path: Path) -> None:
    for index in range(6):
        picture, mask = draw_blocks(index)
        write_image(tmp_path / "photos" / "images" / f"{index}.jpg", picture)
        write_image(tmp_path / "photos" / "masks" / f"{index}.png", mask)
    assert len(run_blocks(PAGE, "folder", tmp_path)) == 4
    assert (tmp_path / "runs" / "photos" / "index.html").is_file()
    assert len(list((tmp_path / "predictions").glob("*_labels.png"))) == 6


def test_its_flags_are_those_that_there_are() -> None:
    flags = {name_flag(setting) for setting in list_settings(Experiment().to_dict())}
    named = set(re.findall(r"--(?:data|optim|runtime|loss|eval|model)\.[a-z-]+", PAGE))
    assert len(named) > 8
    assert named <= flags
    assert {"--init", "--replace-head"} <= set(SHORT_FLAGS)
