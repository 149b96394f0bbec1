from __future__ import annotations

from pathlib import Path

import pytest

from hierseg.cli import main
from hierseg.config import Experiment
from hierseg.planning import planner
from hierseg.planning.estimate import Estimate


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Experiment, int, str]]:
    """Estimates by hand, and what they were asked for."""
    seen: list[tuple[Experiment, int, str]] = []

    def training(experiment: Experiment, space: object, processes: int) -> Estimate:
        seen.append((experiment, space.num_classes, "training"))  # type: ignore[attr-defined]
        pixels = experiment.data.crop.height * experiment.data.crop.width
        factor = 1 if experiment.model.grad_checkpoint else 4
        return Estimate(5_000_000, 10**12, {"activations": factor * 10_000 * pixels}, 2**30)

    def evaluation(experiment: Experiment, space: object, size: object) -> Estimate:
        seen.append((experiment, 0, str(size)))
        return Estimate(5_000_000, 10**12, {"activations": 2**30})

    monkeypatch.setattr(planner, "estimate_training", training)
    monkeypatch.setattr(planner, "estimate_evaluation", evaluation)
    return seen


def test_a_plan_needs_neither_data_nor_gpu(
    seen: list[tuple[Experiment, int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "cityscapes-hrnet48-ocr-hier", "--data.crop", "128x256"]) == 0
    said = capsys.readouterr().out
    assert "5.0 M" in said
    assert "steps of 1 x 128x256" in said
    assert "images of 1024x2048 at 0.5 1 2" in said
    assert [classes or size for _, classes, size in seen] == [19, "1024x2048"]
    assert not Path("plan").exists()


def test_what_would_fit_is_said(
    seen: list[tuple[Experiment, int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["plan", "cityscapes-hrnet48-ocr-hier", "--gpu-memory", "24G", "--data.crop", "512x512"]
    assert main(words) == 0
    assert "does not fit" not in capsys.readouterr().out
    assert main([*words[:-3], "6G", *words[-2:]]) == 0
    said = capsys.readouterr().out
    assert "training with --model.grad-checkpoint: 3.19 GiB, fits" in said
    assert "training with --data.crop 352x352" in said
    assert main([*words[:-3], "600M", *words[-2:]]) == 0
    said = capsys.readouterr().out
    assert "training with --model.grad-checkpoint: 3.19 GiB, does not fit" in said
    assert "none of the changes that were tried makes the training fit" in said
    assert "evaluation with --eval.scales 0.5 1" in said


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--gpu-memory", "lots"], "--gpu-memory 24G"),
        (["--processes", "0"], "--processes"),
        (["--classes", "256"], "--classes"),
        (["--data.name", "folder"], "--data.root"),
        (["--optim.lr", "-1"], "--optim.lr"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    flags: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "camvid-lite0", *flags]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_classes_and_sizes_can_be_given(
    seen: list[tuple[Experiment, int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data.name", "folder", "--classes", "150", "--image", "200x300"]
    assert main(["plan", "camvid-lite0", *words]) == 0
    assert [classes or size for _, classes, size in seen] == [150, "200x300"]
    assert main(["plan", "mapillary-hrnet48-ocr-hier"]) == 0
    assert seen[-1][2] == "1633x2177"
    assert main(["plan", "vplr-camvid-wrn38"]) == 0
    assert seen[-1][2] == "720x960"  # doubled, as they are validated


def test_whole_images_and_made_up_ones_are_planned(
    seen: list[tuple[Experiment, int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["plan", "cityscapes-hrnet48-ocr-hier", "--data.full-crop", "--data.short-edge", "512"]
    assert main(words) == 0
    assert "steps of 1 x 512x1024" in capsys.readouterr().out
    seen.clear()
    words = ["plan", "vplr-camvid-wrn38", "--data.name", "synthetic", "--data.crop", "128x256"]
    assert main(words) == 0
    # As validation sees them: the recipe has a long edge.
    assert "images of 480x960" in capsys.readouterr().out
    assert seen[0][1] == 11


def test_a_short_edge_of_validation_is_planned(
    seen: list[tuple[Experiment, int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "vplr-mapillary-wrn38"]) == 0
    said = capsys.readouterr().out
    assert "steps of 2 x 896x896" in said
    assert "images of 1536x1536" in said
