"""The table of ways to combine scales."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from support.scripts import load_script


def test_a_run_that_was_interrupted_is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = load_script("paper_table")
    folder = tmp_path / "runs" / "hier-seed0"
    (folder / "run").mkdir(parents=True)
    (folder / "run" / "last.safetensors").write_bytes(b"weights of epoch 3")
    (folder / "status.json").write_text('{"state": "stopped", "attempts": []}')
    asked = []
    monkeypatch.setattr(script, "open_dataset", lambda *_: asked.append("data"))
    monkeypatch.setattr(script, "load_model", lambda _: (_ for _ in ()).throw(LookupError))
    arguments = argparse.Namespace(out=tmp_path)
    script.measure(arguments, "hier", 0, (0.5, 1.0))
    assert asked == []
    (folder / "status.json").write_text('{"state": "done", "attempts": []}')
    with pytest.raises(LookupError):
        script.measure(arguments, "hier", 0, (0.5, 1.0))
    assert asked == ["data"]


def test_every_variant_is_a_recipe_that_can_be_trained() -> None:
    """The sweep would find out only when the run's turn comes."""
    script = load_script("paper_table")
    costs = load_script("paper_costs")
    for name in script.VARIANTS:
        costs.build_criterion(costs.describe(name), costs.CAMVID)
