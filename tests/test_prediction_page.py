"""docs/prediction.md: its commands, run as they stand there, and the flags that it names."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from hierseg.commands.evaluate import evaluate
from hierseg.commands.live import LiveFlags
from hierseg.commands.predict import Output, predict
from hierseg.commands.runner import RunnerFlags
from hierseg.commands.video import SteadyFlags
from hierseg.options import RunOptions
from hierseg.size import Size
from hierseg.streets.rendering import draw_street
from support.documents import run_blocks

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "prediction.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_folders(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for seed in range(2):
        image, _ = draw_street(seed, Size(96, 160))
        Image.fromarray(image).save(tmp_path / "photos" / f"{seed}.jpg")
    assert len(run_blocks(PAGE, "folder", tmp_path)) == 1
    assert (tmp_path / "masks" / "1_attention_0.5_heat.jpg").is_file()


@pytest.mark.slow
def test_gated_scales(tmp_path: Path) -> None:
    assert len(run_blocks(PAGE, "gated", tmp_path)) == 4
    assert (tmp_path / "gated.safetensors").is_file()


@pytest.mark.slow
def test_video(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="the extra video is not installed")
    from support.clips import read_clip, slide, write_clip

    image, _ = draw_street(1, Size(96, 160))
    write_clip(tmp_path / "drive.mp4", slide(image, 40), 20)
    assert len(run_blocks(PAGE, "video", tmp_path)) == 2
    assert len(read_clip(tmp_path / "drive-out" / "drive_overlay.mp4")[0]) == 40
    labels = sorted((tmp_path / "drive-part" / "drive_frames").glob("*_labels.png"))
    assert [path.name[:6] for path in labels] == ["000010", "000015", "000020", "000025"]


@pytest.mark.slow
def test_evaluation(tmp_path: Path) -> None:
    assert len(run_blocks(PAGE, "evaluate", tmp_path)) == 4
    assert (tmp_path / "worst" / "index.html").is_file()
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["images"] == 4
    assert np.isfinite(result["miou"])


def test_every_output_has_a_row() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| `", PAGE, re.M)
    assert set(rows) == set(get_args(Output))


def test_the_flags_are_those_that_there_are() -> None:
    flags = {
        "--" + name.rstrip("_").replace("_", "-")
        for function in (predict, evaluate)
        for name in inspect.signature(function).parameters
    } | {
        "--" + field.name.replace("_", "-")
        for flags_of in (RunOptions, RunnerFlags, LiveFlags, SteadyFlags)
        for field in dataclasses.fields(flags_of)
    }
    named = set(re.findall(r"--[a-z][a-z-]*", PAGE)) - {"--help", "--help-all"}
    assert named - flags <= {"--count", "--size", "--val-fraction"}  # of `hierseg streets`
    for name in inspect.signature(predict).parameters:
        assert name in (
            "sources",
            "weights",
            "device",
            "dataset",
            "how",
            "where",
            "live",
            "joined",
        ) or ("--" + name.rstrip("_").replace("_", "-") in named), name
