"""docs/hub.md: its commands, run as they stand there, and the flags that it names."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from hierseg.checkpoint.hub import is_on_hub
from hierseg.commands.publish import publish
from support.documents import run_blocks

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "hub.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_its_commands(tmp_path: Path) -> None:
    assert len(run_blocks(PAGE, "hub", tmp_path)) == 4
    folder = tmp_path / "on-the-hub"
    for name in re.findall(r"^\| `([\w.]+)` \|", PAGE, re.MULTILINE):
        assert (folder / name).is_file(), name
    assert ModelCard.load(folder / "README.md").data.eval_results[0].dataset_split == "val"
    assert len(list((tmp_path / "masks").glob("*_labels.png"))) == 2


def test_every_flag_of_publish_is_there() -> None:
    flags = {f"--{name.replace('_', '-')}" for name in inspect.signature(publish).parameters}
    named = set(re.findall(r"--[a-z][a-z-]*", PAGE))
    assert flags - {"--weights"} <= named
    others = {"--weights", "--out", "--count", "--size", "--val-fraction", "--data", "--root",
              "--json", "--scales"}  # fmt: skip
    assert named <= flags | others


def test_its_names_are_of_the_hub() -> None:
    names = re.findall(r"hf:[\w./@-]+", PAGE)
    assert len(names) > 5
    assert all(is_on_hub(name) for name in names)
