"""docs/video.md: its example of Python, its commands' flags, the defaults that it states."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from hierseg.cli import main
from hierseg.propagation import SdcNetExperiment
from support.moving import draw_clip

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "video.md").read_text(encoding="utf-8")


def test_its_example_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    source, target = draw_clip(2, 64, 64, step=(3, 1))
    names = {"source": source, "target": target, "source_labels": np.zeros((64, 64), np.uint8)}
    exec(blocks[0], names)
    assert names["image"].shape == (64, 64, 3)
    assert set(np.unique(names["labels"])) == {0, 255}
    assert np.median(names["confidence"]) > 0.5


@pytest.mark.parametrize(
    "line", [line for line in PAGE.splitlines() if line.startswith(("hierseg flow", "hierseg tr"))]
)
def test_its_commands_are_understood(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(line)[1:]) == 2
    said = capsys.readouterr().err
    assert "does not exist" in said or "there is no file runs/sdcnet" in said


def test_the_defaults_are_as_it_says() -> None:
    experiment = SdcNetExperiment()
    assert f"Crops are of {experiment.data.crop} or" in PAGE
    assert f"probability {experiment.data.reverse:g};" in PAGE
    assert f"batch {experiment.data.batch}." in PAGE
    assert experiment.optim.lr == 1e-4
    assert experiment.data.flow == "dis"
    assert experiment.model.form == "reconstruction"
