from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from hierseg import cli


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for split, count in (("train", 2), ("val", 1)):
        for folder in (split, f"{split}annot"):
            (tmp_path / "camvid" / folder).mkdir(parents=True)
        for number in range(count):
            image = random.integers(0, 255, (96, 96, 3)).astype(np.uint8)
            labels = random.integers(0, 12, (96, 96)).astype(np.uint8)
            root = tmp_path / "camvid"
            assert cv2.imwrite(str(root / split / f"{number}.png"), image)
            assert cv2.imwrite(str(root / f"{split}annot" / f"{number}.png"), labels)
    return tmp_path / "camvid"


def test_train_resume_and_evaluate_from_the_command_line(
    camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    words = [
        *("train", "camvid-lite0", "--data.root", str(camvid), "--runtime.out", str(run)),
        *("--data.batch", "2", "--data.crop", "96x96", "--data.workers", "0"),
        *("--optim.epochs", "1", "--runtime.precision", "fp32", "--runtime.device", "cpu"),
        *("--optim.warmup-steps", "0"),
    ]
    assert cli.main(words) == 0
    said = capsys.readouterr()
    assert f"--weights {run}" in said.out
    assert "epoch 1/1: loss " in said.err

    assert cli.main(words) == 1
    assert "--runtime.resume" in capsys.readouterr().err
    assert cli.main([*words, "--runtime.resume"]) == 0  # there is nothing left to do
    capsys.readouterr()

    words = ["evaluate", "--data", "camvid", "--root", str(camvid), "--weights", str(run)]
    assert cli.main([*words, "--device", "cpu"]) == 0
    assert "mIoU " in capsys.readouterr().out


def test_an_impossible_run_is_refused_with_its_flag(
    camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    words = ["train", "camvid-lite0", "--runtime.out", str(run), "--runtime.device", "cpu"]
    assert cli.main(words) == 2
    assert "--data.root" in capsys.readouterr().err
    words += ["--data.root", str(camvid), "--runtime.precision", "fp16"]
    assert cli.main(words) == 2
    assert "--runtime.precision bf16" in capsys.readouterr().err
    assert not run.exists()


def test_a_recipe_trains_without_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    recipe = ["camvid-lite0", "--data.name", "synthetic", "--data.crop", "64x96"]
    recipe += ["--data.workers", "0", "--optim.warmup-steps", "0"]
    words = [*recipe, "--runtime.precision", "fp32", "--runtime.device", "cpu"]
    words += ["--optim.epochs", "1", "--runtime.limit-batches", "1", "--eval.scales", "1"]
    assert cli.main(["train", *words, "--runtime.out", str(run)]) == 0
    assert "epoch 1/1: loss " in capsys.readouterr().err
    assert cli.main(["samples", *recipe, "--out", str(tmp_path / "seen"), "--count", "2"]) == 0
    assert len(list((tmp_path / "seen").glob("e001-*.png"))) == 2
    capsys.readouterr()
    assert cli.main(["train", *words, "--runtime.out", str(run), "--data.root", str(tmp_path)]) == 2
    assert "leave out --data.root" in capsys.readouterr().err
