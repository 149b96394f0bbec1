"""What leaves a run nothing to learn: labels without a class, a warm-up without an end."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from hierseg.config import Experiment, OptimConfig
from hierseg.errors import UsageError, UserError
from hierseg.training import loop, make_display
from hierseg.training.counting import require_warm
from hierseg.training.loop import train
from hierseg.training.signals import RunEnded

from .conftest import change


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_labels_that_are_ignored_throughout_are_refused(
    tiny: Experiment, tiny_data: Path, tmp_path: Path, split: str, share: float
) -> None:
    root = tmp_path / "void"
    shutil.copytree(tiny_data, root)
    for path in (root / "labels" / split).glob("*.png"):
        cv2.imwrite(str(path), np.full((96, 128), 255, np.uint8))
    experiment = change(tiny, "data", root=root, class_uniform=share)
    with pytest.raises(UserError, match=rf"no pixel of split '{split}' of folder has a class"):
        train(experiment)
    assert not (tmp_path / "run").exists()


def test_crops_that_never_see_a_class_end_the_run(
    tiny: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "count_pixels", lambda *_: 0)
    with pytest.raises(RunEnded, match=r"no crop of 3 steps had a pixel .*--data\.crop"):
        train(change(tiny, "optim", epochs=1))


def test_a_validation_of_which_nothing_counts_ends_the_run(
    tiny: Experiment, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Labelled pixels lie outside of the part that is validated on: the steps are saved."""
    root = tmp_path / "edge"
    shutil.copytree(tiny_data, root)
    for path in (root / "labels" / "val").glob("*.png"):
        labels = np.full((96, 128), 255, np.uint8)
        labels[:8] = 1
        cv2.imwrite(str(path), labels)
    experiment = change(tiny, "data", root=root, val_crop=tiny.data.crop._replace(height=64))
    experiment = change(experiment, "optim", epochs=1)
    with pytest.raises(UserError, match=r"no pixel of split 'val' .*crop"):
        train(experiment, [make_display()])
    assert "step 3 is saved" in capsys.readouterr().err


@pytest.mark.parametrize("warmup", [7, 8, 1000])
def test_a_warm_up_that_does_not_end_is_refused_with_the_numbers(warmup: int) -> None:
    said = rf"warm-up of {warmup} steps .* 7 steps \(1 epoch of 7 steps\).*--optim\.epochs "
    said += rf"{warmup // 7 + 1} or more, or --optim\.warmup-steps 1 or fewer"
    with pytest.raises(UsageError, match=said):
        require_warm(OptimConfig(epochs=1, warmup_steps=warmup), 7)


def test_a_warm_up_within_the_run_is_none_of_that() -> None:
    for warmup, epochs in ((0, 1), (6, 1), (13, 2)):
        require_warm(OptimConfig(epochs=epochs, warmup_steps=warmup), 7)


def test_it_is_refused_before_the_first_step(tiny: Experiment, tmp_path: Path) -> None:
    tiny = change(tiny, "optim", warmup_steps=6)
    with pytest.raises(UsageError, match=r"6 steps \(2 epochs of 3 steps\)"):
        train(tiny)
    assert not (tmp_path / "run").exists()


def test_a_dry_run_is_as_short_as_it_is_told_to_be(tiny: Experiment) -> None:
    tiny = change(tiny, "optim", warmup_steps=40, epochs=1)
    assert train(change(tiny, "runtime", limit_batches=1)).folder.is_dir()
