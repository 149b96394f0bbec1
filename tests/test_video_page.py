"""docs/video.md: its example of Python, its commands' flags, the defaults that it states."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from hierseg.cli import main
from hierseg.inference.steady import FAILING, MOST, OLDEST, STANDS
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
    "line",
    [
        line
        for line in PAGE.splitlines()
        if line.startswith(("hierseg flow", "hierseg train sdcnet"))
    ],
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
    assert f"Crops are {experiment.data.crop} or" in PAGE
    assert f"probability {experiment.data.reverse:g}," in PAGE
    assert f"batches of {experiment.data.batch}." in PAGE
    assert experiment.optim.lr == 1e-4
    assert experiment.data.flow == "dis"
    assert experiment.model.form == "reconstruction"


@pytest.mark.slow
def test_its_clips_are_drawn_propagated_checked_and_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [
        line.replace("--clip 30", "--clip 5 --size 64x128").replace("--steps 5", "--steps 2")
        for line in PAGE.splitlines()
        if line.startswith(
            ("hierseg streets", "hierseg propagate --data", "hierseg check", "hierseg ev")
        )
        and "CITYSCAPES" not in line
    ]
    assert len(lines) == 4
    for line in lines:
        more = ["--weights", "streets-lite0"] if "evaluate" in line else []
        assert main([*shlex.split(line)[1:], *more]) == 0, line
    assert "temporal consistency" in capsys.readouterr().out


@pytest.mark.parametrize(
    "line",
    [
        line
        for line in PAGE.splitlines()
        if line.startswith(("hierseg predict", "hierseg propagate --frames"))
    ],
)
def test_its_commands_on_a_video_are_understood(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(line)[1:]) in (1, 2)
    assert "does not exist" in capsys.readouterr().err


def test_the_defaults_of_steady_video_are_as_it_says() -> None:
    assert f"weight of {MOST:g} where" in PAGE
    assert f"tiles in which more than {100 * FAILING:g} % of the pixels" in PAGE
    assert f"at a weight of {STANDS:g} against" in PAGE
    assert OLDEST == 8
    assert "not been run for eight frames" in PAGE
