"""How a run ends when something goes wrong, and that nothing is lost by it."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from hierseg.checkpoint.format import read_header
from hierseg.config import Experiment
from hierseg.data.parallel import Patience
from hierseg.errors import UserError
from hierseg.losses.combined import CombinedLoss
from hierseg.training.checkpoints import Checkpoints
from hierseg.training.loop import train
from hierseg.training.reporting.display import PlainDisplay, make_display
from hierseg.training.signals import RunEnded, RunStopped
from hierseg.training.step import Outcome, Stepper

from .conftest import change, make_tiny


def _column(path: Path, name: str) -> list[str]:
    with path.open(newline="") as file:
        return [row[name] for row in csv.DictReader(file)]


def _state(folder: Path) -> dict[str, Any]:
    found = Checkpoints(folder / "states", keep=1).read()
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def whole(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of an epoch that nothing happened to."""
    return train(_one_epoch(make_tiny(tiny_data, tmp_path_factory.mktemp("whole")))).folder


def _one_epoch(tiny: Experiment) -> Experiment:
    return change(tiny, "optim", epochs=1, ema_decay=0.9)


def _assert_same_run(folder: Path, whole: Path) -> None:
    expected, found = _state(whole), _state(folder)
    for part in ("network", "average"):
        assert all(tensor.equal(found[part][name]) for name, tensor in expected[part].items())
    for name in ("step", "loss", "lr"):
        assert _column(folder / "steps.csv", name) == _column(whole / "steps.csv", name)
    for name in ("epoch", "loss", "miou"):
        assert _column(folder / "epochs.csv", name) == _column(whole / "epochs.csv", name)


def _at_step(patch: pytest.MonkeyPatch, number: int, act: Callable[[], object]) -> None:
    """Do something when a step is done, before it is counted."""
    step = Stepper.step

    def step_and_act(self: Stepper, group: Any) -> Outcome:
        outcome = step(self, group)
        if self._state.progress.step == number - 1:
            act()
        return outcome

    patch.setattr(Stepper, "step", step_and_act)


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGUSR1, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_a_run_that_can_be_resumed(
    tiny: Experiment, whole: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = _one_epoch(tiny)
    handler = signal.getsignal(number)
    with monkeypatch.context() as patch:
        _at_step(patch, 2, lambda: os.kill(os.getpid(), number))
        said = rf"{number.name} after step 2, which is saved; continue with --runtime\.resume"
        kind = KeyboardInterrupt if number is signal.SIGINT else RunStopped
        with pytest.raises(kind, match=said):
            train(tiny)
    assert RunStopped.exit_status == 75
    assert signal.getsignal(number) == handler
    folder = train(change(tiny, "runtime", resume=True)).folder
    _assert_same_run(folder, whole)


@pytest.mark.slow
def test_a_signal_in_validation_does_the_steps_no_second_time(
    tiny: Experiment, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = _one_epoch(tiny)
    monkeypatch.setenv("SLURM_JOB_ID", "123")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    (tmp_path / "bin").mkdir()
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {tmp_path / "asked"}\n')
    scontrol.chmod(0o755)
    with monkeypatch.context() as patch:
        stop = lambda *_: os.kill(os.getpid(), signal.SIGTERM)  # noqa: E731
        patch.setattr(PlainDisplay, "on_validation", stop)
        said = r"in validation after step 3.*SLURM has queued job 123 again"
        with pytest.raises(RunStopped, match=said):
            train(tiny, [make_display()])
    assert (tmp_path / "asked").read_text() == "requeue 123\n"
    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "step", lambda *_: pytest.fail("its steps are done"))
        folder = train(change(tiny, "runtime", resume=True)).folder
    _assert_same_run(folder, whole)


@pytest.mark.slow
def test_data_that_vanish_cost_no_step(
    tiny: Experiment,
    tiny_data: Path,
    whole: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tiny = _one_epoch(tiny)
    images, away = tiny_data / "images", tiny_data / "away"
    with monkeypatch.context() as patch:
        _at_step(patch, 1, lambda: images.rename(away))
        try:
            with pytest.raises(UserError, match=r"images/train/\d\.png") as failure:
                train(tiny, [make_display()])
        finally:
            away.rename(images)
    assert str(failure.value).count("\n") == 0
    assert "step 1 is saved; continue from it with --runtime.resume" in capsys.readouterr().err
    _assert_same_run(train(change(tiny, "runtime", resume=True)).folder, whole)


@pytest.mark.slow
def test_a_loader_process_that_dies_costs_no_step(
    tiny: Experiment, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = change(_one_epoch(tiny), "runtime", save_steps=1)

    def kill() -> None:
        for child in multiprocessing.active_children():
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)

    with monkeypatch.context() as patch:
        _at_step(patch, 2, kill)
        said = r"a process that loads images died.*--data\.workers.*--runtime\.resume"
        with pytest.raises(UserError, match=said):
            train(change(tiny, "data", workers=1))
    assert _state(tiny.runtime.out or Path())["progress"]["step"] >= 1
    _assert_same_run(train(change(tiny, "runtime", resume=True)).folder, whole)


@pytest.mark.slow
def test_a_loader_that_stands_still_is_said_and_costs_no_step(
    tiny: Experiment,
    whole: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop() -> None:
        for child in multiprocessing.active_children():
            assert child.pid is not None
            os.kill(child.pid, signal.SIGSTOP)

    # What is fetched ahead is trained on first: more steps than that.
    tiny = change(_one_epoch(tiny), "data", workers=1, batch=1)
    told: list[float] = []

    def be_told(self: Patience, seconds: float) -> None:
        look(self, seconds)
        if seconds > 3 and not told:
            told.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGTERM)

    look = Patience.look
    with monkeypatch.context() as patch:
        patch.setattr("hierseg.data.parallel.PATIENCE", 2.0)
        patch.setattr("hierseg.training.waiting.PATIENCE", 2.0)
        patch.setattr(Patience, "look", be_told)
        _at_step(patch, 1, stop)
        said = r"SIGTERM after step \d, which is saved; continue"
        with pytest.raises(RunStopped, match=said) as ending:
            train(tiny, [make_display()])
    assert time.monotonic() - told[0] < 15
    assert not multiprocessing.active_children()
    errors = capsys.readouterr().err
    assert re.search(r"no image has come from the loader for \d s: .* has stalled", errors)
    step = re.findall(r"step (\d)", str(ending.value))
    folder = train(change(tiny, "runtime", resume=True)).folder
    assert step[0] in _column(folder / "steps.csv", "step")
    assert _column(folder / "steps.csv", "step") == ["1", "2", "3", "4", "5", "6"]


def test_a_power_cut_and_another_image_are_both_told(
    tiny: Experiment, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "data"
    shutil.copytree(tiny_data, root)
    tiny = change(change(_one_epoch(tiny), "data", root=root), "runtime", limit_batches=1)
    folder = train(tiny, [make_display()]).folder
    for name in ("steps.csv", "epochs.csv"):
        path = folder / name
        path.write_bytes(path.read_bytes() + b"\0" * 4096)
    resumed = change(tiny, "runtime", resume=True)
    train(resumed, [make_display()])
    errors = capsys.readouterr().err
    assert "steps.csv is damaged: 1 line left out; its last row is that of step 1" in errors
    assert "epochs.csv is damaged: 1 line left out; its last row is that of epoch 1" in errors
    assert _column(folder / "steps.csv", "step") == ["1"]
    shutil.copy(root / "images" / "train" / "0.png", root / "images" / "train" / "1.png")
    with pytest.raises(UserError, match=r"images/train/1\.png' has changed"):
        train(resumed)


def _lose_the_loss(patch: pytest.MonkeyPatch, is_lost: Callable[[int], bool]) -> None:
    forward, calls = CombinedLoss.forward, iter(range(1, 1000))

    def lose(self: CombinedLoss, *arguments: Any) -> dict[str, torch.Tensor]:
        losses = forward(self, *arguments)
        if is_lost(next(calls)):
            losses["loss"] = losses["loss"] * torch.nan
        return losses

    patch.setattr(CombinedLoss, "forward", lose)


def test_ten_lost_steps_in_a_row_end_a_run(
    tiny: Experiment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = change(change(tiny, "optim", epochs=5), "eval", every=5)
    tiny = change(tiny, "runtime", save_steps=1)
    _lose_the_loss(monkeypatch, lambda call: call == 2 or call > 4)
    last = r"states/step-00000004-epoch-0001-\w+\.pt"
    with pytest.raises(RunEnded, match=rf"10 steps in a row, up to step 14; .*{last}"):
        train(tiny, [make_display()])
    out = tiny.runtime.out or Path()
    assert _column(out / "steps.csv", "skipped")[:5] == ["0", "1", "1", "1", "2"]
    assert _column(out / "epochs.csv", "skipped") == ["1", "2", "3", "3"]
    assert _column(out / "epochs.csv", "loss")[2] == "nan"
    told = capsys.readouterr().err
    assert "step 2: loss or gradient is not finite; skipped." in told
    assert "steps skipped: 1" in told
    assert all(tensor.isfinite().all() for tensor in _state(out)["network"].values())


def test_a_dry_run_is_short_and_says_so(tiny: Experiment, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tiny = change(tiny, "runtime", limit_batches=1, deterministic=True)
    folder = train(change(tiny, "optim", accumulate=2, clip_norm=1.0)).folder
    assert not torch.are_deterministic_algorithms_enabled()
    assert _column(folder / "steps.csv", "step") == ["1", "2"]
    rates = [float(rate) for rate in _column(folder / "steps.csv", "lr")]
    assert rates == pytest.approx([5e-3, 2.5e-3])  # the schedule counts what is run
    record = json.loads((folder / "run.json").read_text())
    assert record["config"]["runtime"]["limit_batches"] == 1
    assert record["dry_run"] is True
    header = read_header(folder / "last.safetensors")
    assert header.record["dry_run"] == 1
    assert header.record["images"] == 1
    events = EventAccumulator(str(folder / "tensorboard"), {"images": 0}).Reload()
    (tag,) = events.Tags()["images"]
    first, second = events.Images(tag)
    assert (first.step, second.step) == (1, 2)
    assert (first.width, first.height) == (4 * 128 + 12, 96)  # with the attention
