"""A real training process, killed at random points of an epoch, gives the weights of one that was
not: bit for bit.
"""

from __future__ import annotations

import csv
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from hierseg.training.checkpoints import Checkpoints

FLAGS = shlex.split(
    "--data.name folder --data.class-uniform 0.5 --data.class-uniform-tile 32 --data.crop 96x96 "
    "--data.batch 2 --data.workers 1 --optim.epochs 1 --optim.warmup-steps 4 --optim.accumulate 2 "
    "--optim.ema-decay 0.9 --optim.clip-norm 1 --runtime.device cpu --runtime.log-every 1 "
    "--runtime.save-steps 2 --model.no-pretrained --runtime.precision fp32 --eval.every 1"
)
EPOCH = 15  # steps: 60 images, batches of 2, 2 batches a step


def _start(
    root: Path,
    out: Path,
    resume: bool = False,
    prepare: Callable[[], None] | None = None,
    processes: int = 1,
) -> subprocess.Popen[str]:
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    command = [sys.executable, *(launcher if processes > 1 else [])]
    command += ["-m", "hierseg", "train", "streets-lite0", *FLAGS]
    command += ["--data.root", str(root), "--runtime.out", str(out)]
    with (out.parent / f"{out.name}.err").open("w") as errors:
        return subprocess.Popen(
            [*command, *(["--runtime.resume"] if resume else [])],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stderr=errors,
            stdout=subprocess.DEVNULL,
            text=True,
            preexec_fn=prepare,
        )


def _errors(out: Path) -> str:
    return (out.parent / f"{out.name}.err").read_text()


def _wait_for_row(process: subprocess.Popen[str], out: Path, row: int) -> None:
    while _count_rows(out) < row:
        assert process.poll() is None, _errors(out)
        time.sleep(0.01)


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


@pytest.fixture(scope="module")
def root(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    _many_images(tiny_data, folder)
    return folder


@pytest.fixture(scope="module")
def whole(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    assert _start(root, out).wait(600) == 0, _errors(out)
    return out


def _assert_same_run(whole: Path, other: Path, steps: int = EPOCH) -> None:
    states = []
    for folder in (whole, other):
        found = Checkpoints(folder / "states", keep=1).read()
        assert found is not None
        states.append(found[1])
    for part in ("network", "average"):
        for name, tensor in states[0][part].items():
            assert tensor.equal(states[1][part][name]), name
    assert states[0]["progress"]["best_miou"] == states[1]["progress"]["best_miou"]
    expected = load_file(whole / "last.safetensors")
    for name, tensor in load_file(other / "last.safetensors").items():
        assert tensor.equal(expected[name]), name
    assert _steps(whole) == _steps(other)
    assert len(_steps(whole)) == steps


@pytest.mark.slow
def test_three_kills_change_nothing(root: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    points = sorted(random.SystemRandom().sample(range(1, EPOCH), 3))
    print("killed at steps", points)
    for number, point in enumerate(points):
        process = _start(root, out, resume=number > 0)
        _wait_for_row(process, out, point)
        time.sleep(random.SystemRandom().uniform(0, 0.2))  # anywhere in a step, or in a write
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert _start(root, out, resume=True).wait(600) == 0, _errors(out)
    _assert_same_run(whole, out)


@pytest.mark.slow
def test_sigterm_and_then_a_damaged_checkpoint(root: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = _start(root, out)
    _wait_for_row(process, out, 9)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 75
    (line,) = [line for line in _errors(out).splitlines() if line.startswith("hierseg: ")]
    assert "SIGTERM after step" in line
    newest = max((out / "states").iterdir())
    data = bytearray(newest.read_bytes())
    data[len(data) // 3] ^= 16
    newest.write_bytes(data)
    assert _start(root, out, resume=True).wait(600) == 0, _errors(out)
    assert f"{newest} is damaged; the checkpoint before it is used." in _errors(out)
    _assert_same_run(whole, out)


@pytest.mark.slow
def test_two_processes_stop_at_the_same_step(root: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "run"
    assert _start(root, whole, processes=2).wait(600) == 0, _errors(whole)
    process = _start(root, out, processes=2)
    _wait_for_row(process, out, 3)
    process.send_signal(signal.SIGTERM)  # torchrun hands it on to each, one after the other
    assert process.wait(120) == 1  # its own, for any failure
    assert "stopped by SIGTERM after step" in _errors(out)
    assert _start(root, out, resume=True, processes=2).wait(600) == 0, _errors(out)
    _assert_same_run(whole, out, steps=8)


@pytest.mark.slow
def test_a_full_disk_loses_nothing_that_was_written(
    root: Path, whole: Path, tmp_path: Path
) -> None:
    """The limit is over the weights' size and under that of a checkpoint to resume from."""
    out = tmp_path / "run"
    assert _start(root, out, prepare=lambda: _limit(2**25)).wait(600) == 1
    told = _errors(out)
    assert "Traceback" not in told
    said = r"hierseg: a checkpoint cannot be written to .*states \(.*\); free some space"
    assert re.search(said, told), told
    assert not list((out / "states").glob("*.pt"))
    assert [step for step, _ in _steps(out)] == ["1", "2"]
    assert _start(root, out, resume=True).wait(600) == 0, _errors(out)
    _assert_same_run(whole, out)


def _limit(size: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
