"""docs/labels-out.md: its commands, run as they stand there, and the flags that it names."""

from __future__ import annotations

import inspect
import json
import re
import zipfile
from pathlib import Path

import pytest

from hierseg.commands.autolabel import autolabel
from hierseg.commands.evaluate import evaluate
from hierseg.commands.runner import RunnerFlags
from hierseg.commands.submit import submit
from hierseg.options import RunOptions
from support.documents import run_blocks

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "labels-out.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_official(tmp_path: Path) -> None:
    pytest.importorskip("cityscapesscripts", reason="the extra cityscapes is not installed")
    assert len(run_blocks(PAGE, "official", tmp_path)) == 4
    content = json.loads((tmp_path / "official.json").read_text())
    assert content["official"]["largest_difference"] <= 1e-6


@pytest.mark.slow
def test_submit(tmp_path: Path) -> None:
    assert len(run_blocks(PAGE, "submit", tmp_path)) == 4
    assert (tmp_path / "submission.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "submission.zip") as archive:
        assert len(archive.namelist()) == 2


@pytest.mark.slow
def test_autolabel(tmp_path: Path) -> None:
    assert len(run_blocks(PAGE, "autolabel", tmp_path)) == 5
    summary = json.loads((tmp_path / "auto" / "val_summary.json").read_text())
    assert summary["images"] == 3
    assert not list((tmp_path / "auto").glob("*of2*"))
    assert (tmp_path / "run" / "last.safetensors").is_file()


def test_the_flags_are_those_that_there_are() -> None:
    flags = {
        "--" + name.replace("_", "-")
        for function in (autolabel, submit, evaluate)
        for name in (
            *inspect.signature(function).parameters,
            *RunOptions.__dataclass_fields__,
            *RunnerFlags.__dataclass_fields__,
        )
    }
    named = set(re.findall(r"--[a-z][a-z.-]*", PAGE))
    others = {flag for flag in named - flags if not flag.startswith(("--data.", "--optim.",
              "--runtime."))}  # fmt: skip
    assert others <= {"--count", "--size", "--val-fraction", "--official", "--init"}
