"""docs/evaluation.md: its commands, run as they stand there, and what it names."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from pathlib import Path

import pytest

from hierseg.checkpoint.format import read_header
from hierseg.commands.adjust import AdjustFlags
from hierseg.commands.calibrate import calibrate
from hierseg.commands.evaluate import evaluate
from hierseg.commands.measures import MeasureFlags
from hierseg.commands.sequence import SequenceFlags
from hierseg.evaluation.corruptions.catalog import CORRUPTIONS
from hierseg.options import RunOptions
from support.documents import run_blocks

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "evaluation.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_its_commands(tmp_path: Path) -> None:
    assert len(run_blocks(PAGE, "measures", tmp_path)) == 8
    result = json.loads((tmp_path / "result.json").read_text())
    assert list((tmp_path / "panels").glob("*_attention_0.5_heat.jpg"))
    assert 0 < result["boundary"]["mean_boundary_iou"] < 1
    assert read_header(tmp_path / "calibrated.safetensors").temperature != 1
    assert (tmp_path / "reliability.png").is_file()
    assert any(read_header(tmp_path / "adjusted.safetensors").extra["adjustment"]["offsets"])
    assert (tmp_path / "calibration" / "reliability.png").is_file()
    rows = json.loads((tmp_path / "robustness" / "corruptions.json").read_text())["corruptions"]
    assert list(rows) == ["jpeg", "fog"]


def test_every_corruption_and_flag_is_there() -> None:
    assert re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE) == list(CORRUPTIONS)
    flags = {
        "--" + field.name.replace("_", "-")
        for flags_of in (MeasureFlags, SequenceFlags)
        for field in dataclasses.fields(flags_of)
    }
    named = set(re.findall(r"--[a-z][a-z-]*", PAGE))
    assert {"--boundary", "--calibration", "--corruptions", "--sequence"} <= named & flags
    known = {
        "--" + name.replace("_", "-")
        for function in (evaluate, calibrate)
        for name in inspect.signature(function).parameters
    }
    known |= {"--" + field.name.replace("_", "-") for field in dataclasses.fields(AdjustFlags)}
    known |= {"--" + field.name.replace("_", "-") for field in dataclasses.fields(RunOptions)}
    others = {
        "--count",
        "--unknown",
        "--size",
        "--val-fraction",
        "--save",
        "--image",
        "--nproc-per-node",
    }
    assert named - flags - known <= others
