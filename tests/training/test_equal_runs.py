"""`hierseg train` in two processes against one with twice the batch, in float64, no dropout."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from hierseg.checkpoint.format import read_header
from support.together import launch

from .conftest import COLORS

# The command itself, in another arithmetic, noting the whole of each loss.
CODE = """\
import json, os, sys
from pathlib import Path
import torch
from hierseg.cli import main
from hierseg.training.step import Stepper

torch.set_default_dtype(torch.float64)
torch.nn.Dropout2d.forward = lambda self, x: x
out, losses, own = Path(sys.argv[1]), [], Stepper.step

def step(self, group):
    outcome = own(self, group)
    losses.append({name: float(value) for name, value in outcome.losses.items()})
    return outcome

Stepper.step = step
status = main(sys.argv[2:])
if os.environ["RANK"] == "0":
    out.write_text(json.dumps(losses))
sys.exit(status)
"""


def _write_data(root: Path) -> None:
    """Eight images to train on, void from a tenth to four fifths, and three of three sizes."""
    root.mkdir()
    (root / "labels.json").write_text(json.dumps({"names": ["red", "green", "blue"]}))
    for split, count in (("train", 8), ("val", 3)):
        for number in range(count):
            random = np.random.default_rng([number, count])
            height, width = 96 + 8 * (number % 3), 128
            labels = np.zeros((height, width), np.uint8)
            labels[20:70, 10:60], labels[40:90, 70:120] = 1, 2
            image = COLORS[labels] + random.integers(0, 50, (height, width, 3)).astype(np.uint8)
            labels[: 10 * (number + 1)] = 255
            for kind, content in (("images", image[..., ::-1]), ("labels", labels)):
                folder = root / kind / split
                folder.mkdir(parents=True, exist_ok=True)
                assert cv2.imwrite(str(folder / f"{number}.png"), content)


@pytest.mark.slow
def test_two_processes_are_one_with_twice_the_batch(tmp_path: Path) -> None:
    _write_data(tmp_path / "data")
    found = {}
    for processes, batch in ((1, 4), (2, 2)):
        out = tmp_path / f"run{processes}"
        values = {
            "data.name": "folder", "data.root": tmp_path / "data", "data.crop": "96x96",
            "data.batch": batch, "data.workers": 0, "data.class-uniform": 0.5,
            "data.class-uniform-tile": 64, "loss.main": "cross_entropy",
            "loss.per-scale-weight": 0.05, "optim.epochs": 10, "optim.optimizer": "sgd",
            "optim.lr": 2.5e-5, "optim.warmup-steps": 10, "eval.every": 10,
            "runtime.precision": "fp32", "runtime.device": "cpu", "runtime.out": out,
        }  # fmt: skip
        # What the recipe's image_weighted alone understands is taken back. A rate of 0.01 would be
        # chaos in a network that is not trained: a difference of 6e-15 grows to 1e-2 in ten steps.
        values |= {"loss.weighting": "share", "loss.weight-bound": 1.0}
        flags = [str(word) for name, value in values.items() for word in (f"--{name}", value)]
        losses = tmp_path / f"losses{processes}.json"
        command = [sys.executable, "-c", CODE, str(losses), "train", "streets-lite0"]
        for done in launch([*command, "--model.no-pretrained", *flags], processes):
            assert done.returncode == 0, done.stderr
        miou = read_header(out / "best.safetensors").record["miou"]
        found[processes] = (json.loads(losses.read_text()), miou)
    (one, own), (two, shared) = found[1], found[2]
    assert len(one) == len(two) == 20
    for alone, together in zip(one, two, strict=True):
        assert together == pytest.approx(alone, rel=1e-6)
        assert set(alone) == {"loss", "main", "auxiliary", "per_scale"}
    assert abs(one[0]["loss"] / one[-1]["loss"] - 1) > 1e-3
    assert shared == own
    assert 0 < own < 1
