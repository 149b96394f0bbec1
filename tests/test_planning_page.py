"""docs/planning.md: its commands, run as they stand there."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.documents import run_blocks

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "planning.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_plans(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert len(run_blocks(PAGE, "plan", tmp_path)) == 2
    said = capfd.readouterr().out
    assert said.count("lite0-ocr-hier, 11 classes: 3.3 M") == 2
    assert "does not fit" in said
    assert "training with --model.grad-checkpoint" in said
    assert list(tmp_path.iterdir()) == []
