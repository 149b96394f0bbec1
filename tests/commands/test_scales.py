"""Scales that are given by a flag, in Python or by a configuration are bounded by one rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from hierseg import cli
from hierseg.assembly.checks import check_training_scales
from hierseg.checkpoint.load import load_model
from hierseg.config import EvalConfig, Experiment, ModelConfig
from hierseg.errors import UsageError
from hierseg.inference.predictor import Predictor

MANY = [f"{1 + i / 1e5:g}" for i in range(2000)]


@pytest.mark.parametrize("scales", [["1", "1e9"], ["1", "1e300"], ["1", "1e-300"], MANY])
def test_the_command_line_refuses_them_before_anything_is_read(
    scales: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "a.png"
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(image)
    for words in (
        ["predict", str(image), "--out", str(tmp_path / "out")],
        ["evaluate", "--data", "folder", "--root", str(tmp_path)],
        ["autolabel", "--data", "folder", "--root", str(tmp_path), "--out", str(tmp_path / "o")],
    ):
        assert cli.main([*words, "--scales", *scales]) == 2
        said = capsys.readouterr().err
        assert "--scales" in said
        assert "scales must be positive" in said or "more than 16 scales" in said
        assert len(said) < 400


@pytest.mark.parametrize("wrong", [(1, 1e9), [1.0] * 20_000, "1", 1, None, (1, "2"), (1, [2])])
def test_checks_of_a_configuration(wrong: Any) -> None:
    with pytest.raises(UsageError, match=r"^--eval\.scales"):
        check_training_scales(wrong, "--eval.scales")
    assert check_training_scales((0.5, 1), "--eval.scales") is None  # type: ignore[func-returns-value]


def test_python_refuses_them(tmp_path: Path) -> None:
    network = load_model()
    for scales in ((1, 1e9), [1.0 + i for i in range(20_000)], (1, 1e300)):
        with pytest.raises(UsageError, match="scales"):
            Predictor(network, scales=scales)
        with pytest.raises(UsageError, match="scales"):
            network(torch.zeros(1, 3, 64, 64), scales=scales)


def test_recipes_go_by_the_same_rule() -> None:
    from hierseg.assembly.checks import check_experiment
    from hierseg.config import DataConfig, RuntimeConfig

    for part in (
        {"eval": EvalConfig(scales=(1.0, 1e9))},
        {"model": ModelConfig(train_scales=(1.0, 99.0))},
    ):
        experiment = Experiment(
            data=DataConfig(root=Path()),
            runtime=RuntimeConfig(device="cpu", out=Path("run")),
            **part,
        )  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="scales must be positive numbers"):
            check_experiment(experiment)
