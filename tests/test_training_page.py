"""docs/training.md: its commands, run as they stand there, and the flags and files it names."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from hierseg.config import Experiment
from hierseg.settings import list_settings, name_flag
from hierseg.training.signals import REQUEUE
from support.documents import run_blocks

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "training.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_first_run(tmp_path: Path) -> None:
    assert len(run_blocks(PAGE, "first", tmp_path)) == 6
    run = tmp_path / "runs" / "first"
    named = re.findall(r"^\| `([^|]+)` \|", PAGE, re.MULTILINE)
    files = [name for row in named for name in re.findall(r"[\w./]+", row) if "--" not in row]
    for name in files:
        if "." in name or name.endswith("/"):
            assert (run / name).exists(), name
    assert json.loads((tmp_path / "runs" / "dry" / "run.json").read_text())["dry_run"] is True
    assert len(json.loads((run / "run.json").read_text())["resumed"]) == 1


def test_the_flags_are_those_that_there_are() -> None:
    known = {name_flag(name) for name in list_settings(Experiment().to_dict())}
    known |= {flag.replace(".", ".no-") for flag in known}
    named = set(re.findall(r"--(?:data|model|loss|optim|eval|runtime)\.[a-z-]+[a-z]", PAGE))
    assert named <= known
    for part in ("optim", "runtime"):
        for field in dataclasses.fields(getattr(Experiment(), part)):
            flag = name_flag(f"{part}.{field.name}")
            assert {flag, flag.replace(".", ".no-")} & named, flag


def test_the_exit_statuses_are_those_that_there_are() -> None:
    statuses = [int(number) for number in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]
    assert statuses == [0, 1, 2, REQUEUE, 130]


def test_the_page_on_reliability_names_tests_that_there_are() -> None:
    page = (DOCS / "reliability.md").read_text(encoding="utf-8")
    for name in re.findall(r"test_\w+\.py", page):
        assert list((DOCS.parent / "tests").rglob(name)), name
