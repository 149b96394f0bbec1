"""docs/sweeps.md and docs/clusters.md: their commands, run as they stand there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from hierseg.commands.sweep import _list_flags
from hierseg.commands.table import COMMANDS
from hierseg.sweeps import read_sweep
from hierseg.sweeps.reading import _KEYS
from support.documents import run_blocks, write_files
from sweeps.test_comparison import write_run

ROOT = Path(__file__).resolve().parents[1]
SWEEPS = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
CLUSTERS = (ROOT / "docs" / "clusters.md").read_text(encoding="utf-8")


def test_the_sweep_is_six_runs_and_its_commands_are_printed(tmp_path: Path) -> None:
    assert write_files(SWEEPS, tmp_path) == ["rates.yaml"]
    assert len(run_blocks(SWEEPS, "dry", tmp_path)) == 1
    sweep = read_sweep(tmp_path / "rates.yaml")
    assert [run.name for run in sweep.runs] == [
        f"lr{rate}-seed{seed}" for rate in ("0.001", "0.002") for seed in (0, 1, 2)
    ]


def test_the_search_is_one(tmp_path: Path) -> None:
    [text] = [
        block for block in re.findall(r"```yaml\n(.*?)```", SWEEPS, re.S) if "optuna" in block
    ]
    (tmp_path / "search.yaml").write_text(text)
    search = read_sweep(tmp_path / "search.yaml").search
    assert search.samples == 20
    assert set(search.draw(0)) == {"optim.lr", "loss.lovasz_weight"}


def test_the_published_file_and_the_table_of_runs(tmp_path: Path) -> None:
    published = ROOT / "examples" / "sweeps" / "published"
    shutil.copy(published / "train_cityscapes.yaml", tmp_path)
    assert len(run_blocks(SWEEPS, "original", tmp_path)) == 1
    write_run(tmp_path / "runs" / "a", [(1, 2.0, 10, 0.1)])
    assert len(run_blocks(SWEEPS, "runs", tmp_path)) == 2
    assert all((tmp_path / f"runs.{end}").is_file() for end in ("csv", "json", "html"))


def test_every_key_is_described_and_every_flag_exists() -> None:
    table = SWEEPS.split("## What a run leaves")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(_KEYS)
    for page in (SWEEPS, CLUSTERS):
        for line in re.findall(r"hierseg (sweep|runs)([^\n`]*)", page):
            flags = set(re.findall(r"--[a-z][a-z-]*", line[1]))
            assert flags <= _list_flags(COMMANDS[line[0]].load()) | {"--dry-run"}


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", CLUSTERS, re.S))
def test_the_descriptions_of_clusters_are_yaml(block: str) -> None:
    assert yaml.safe_load(block)


def test_each_way_says_what_was_tried() -> None:
    sections = CLUSTERS.split("\n## ")[1:4]
    assert len(sections) == 3
    for section in sections:
        assert "\nTried: " in section
        assert "Not tried: " in section
