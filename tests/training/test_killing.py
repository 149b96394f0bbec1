"""A real training process, killed at random points of an epoch, gives the weights of one that was
not: bit for bit.
"""

from __future__ import annotations

import csv
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hierseg.training.checkpoints import Checkpoints

FLAGS = shlex.split(
    "--data.name folder --data.class-uniform 0.5 --data.class-uniform-tile 32 --data.crop 96x96 "
    "--data.batch 2 --data.workers 1 --optim.epochs 2 --optim.accumulate 2 --optim.ema-decay 0.9 "
    "--optim.clip-norm 1 --runtime.device cpu --runtime.log-every 1 --runtime.save-steps 2 "
    "--model.no-pretrained --runtime.precision fp32 --eval.every 1"
)
EPOCH = 15  # steps: 60 images, batches of 2, 2 batches a step


def _start(root: Path, out: Path, resume: bool) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "hierseg", "train", "streets-lite0", *FLAGS]
    command += ["--data.root", str(root), "--runtime.out", str(out)]
    return subprocess.Popen(
        [*command, *(["--runtime.resume"] if resume else [])],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def _count_rows(out: Path) -> int:
    path = out / "steps.csv"
    return len(path.read_text().splitlines()) - 1 if path.is_file() else 0


def _steps(out: Path) -> list[tuple[str, str]]:
    with (out / "steps.csv").open(newline="") as file:
        return [(row["step"], row["loss"]) for row in csv.DictReader(file)]


def _many_images(tiny_data: Path, root: Path) -> None:
    """The same few images under many names: an epoch needs steps, and no more."""
    for kind in ("images", "labels"):
        for split, count in (("train", 60), ("val", 2)):
            (root / kind / split).mkdir(parents=True)
            found = sorted((tiny_data / kind / split).glob("*.png"))
            for number in range(count):
                path = root / kind / split / f"{number}.png"
                path.symlink_to(found[number % len(found)])
    (root / "labels.json").symlink_to(tiny_data / "labels.json")


@pytest.mark.slow
def test_three_kills_change_nothing(tiny_data: Path, tmp_path: Path) -> None:
    root, whole, killed = tmp_path / "data", tmp_path / "whole", tmp_path / "killed"
    _many_images(tiny_data, root)
    assert _start(root, whole, resume=False).wait(600) == 0
    points = sorted(random.SystemRandom().sample(range(1, EPOCH), 3))
    print("killed at steps", points)
    for number, point in enumerate(points):
        process = _start(root, killed, resume=number > 0)
        while _count_rows(killed) < point:
            assert process.poll() is None, "it has ended by itself"
            time.sleep(0.01)
        time.sleep(random.SystemRandom().uniform(0, 0.2))  # anywhere in a step, or in a write
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert _start(root, killed, resume=True).wait(600) == 0
    states = []
    for folder in (whole, killed):
        found = Checkpoints(folder / "states", keep=1).read()
        assert found is not None
        states.append(found[1])
    for part in ("network", "average"):
        for name, tensor in states[0][part].items():
            assert tensor.equal(states[1][part][name]), name
    weights = [(folder / "last.safetensors").read_bytes() for folder in (whole, killed)]
    assert weights[0] == weights[1]
    assert _steps(whole) == _steps(killed)
    assert len(_steps(whole)) == 2 * EPOCH
