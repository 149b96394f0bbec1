from __future__ import annotations

import csv
import json
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from hierseg.assembly.parts import build_datasets
from hierseg.checkpoint.format import read_header
from hierseg.checkpoint.load import load_model
from hierseg.config import Experiment
from hierseg.errors import UsageError, UserError
from hierseg.evaluation.evaluator import evaluate
from hierseg.losses import region_mutual_information
from hierseg.losses.boundary_relaxed import BoundaryRelaxedLoss
from hierseg.training import loop, make_display
from hierseg.training.checkpoints import Checkpoints
from hierseg.training.loop import train
from hierseg.training.step import Outcome, Stepper

from .conftest import change, make_tiny


def _column(path: Path, name: str) -> list[float]:
    with path.open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def trained(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Experiment, Path]:
    """A run of eight epochs with averaged weights, which has learnt the colours."""
    out = tmp_path_factory.mktemp("trained")
    experiment = change(make_tiny(tiny_data, out), "optim", epochs=8, ema_decay=0.8)
    return experiment, train(experiment).folder


def test_training_lowers_the_loss(trained: tuple[Experiment, Path]) -> None:
    _, folder = trained
    losses = _column(folder / "steps.csv", "loss")
    assert len(losses) == 24
    assert sum(losses[-3:]) < 0.5 * sum(losses[:3])
    assert _column(folder / "epochs.csv", "epoch") == list(range(1, 9))
    assert max(_column(folder / "epochs.csv", "miou")) > 0.4


def test_the_loss_is_main_and_auxiliary(trained: tuple[Experiment, Path]) -> None:
    _, folder = trained
    steps = folder / "steps.csv"
    total = [
        main + 0.4 * auxiliary
        for main, auxiliary in zip(_column(steps, "main"), _column(steps, "auxiliary"), strict=True)
    ]
    assert _column(steps, "loss") == pytest.approx(total, rel=1e-4)


def test_the_rate_falls_step_by_step(trained: tuple[Experiment, Path]) -> None:
    _, folder = trained
    expected = [5e-3 * (1 - step / 24) for step in range(24)]
    assert _column(folder / "steps.csv", "lr") == pytest.approx(expected, rel=1e-4)


def test_the_best_checkpoint_is_what_was_evaluated(trained: tuple[Experiment, Path]) -> None:
    experiment, folder = trained
    header = read_header(folder / "best.safetensors")
    mious = _column(folder / "epochs.csv", "miou")
    assert header.record["miou"] == pytest.approx(max(mious), abs=1e-6)
    assert header.record["epoch"] == 1 + mious.index(max(mious))
    assert header.record["recipe"] == "custom"
    assert header.scales == (0.5, 1.0)
    again = evaluate(load_model(folder), build_datasets(experiment).val)
    assert again.scores.miou == header.record["miou"]


def test_checkpoints_hold_the_averaged_weights(trained: tuple[Experiment, Path]) -> None:
    _, folder = trained
    state = _state(folder)
    last = load_file(folder / "last.safetensors")
    assert all(tensor.equal(state["average"][name]) for name, tensor in last.items())
    assert any(not tensor.equal(state["network"][name]) for name, tensor in last.items())


def _state(folder: Path) -> dict[str, Any]:
    found = Checkpoints(folder / "states", keep=1).read()
    assert found is not None
    return found[1]


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    network: dict[str, torch.Tensor] = _state(folder)["network"]
    return network


class _Stop(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("after the first epoch", marks=pytest.mark.slow),
        "before its state is written",
    ],
)
def test_a_resumed_run_is_the_run(
    tiny: Experiment, tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = change(tiny, "optim", ema_decay=0.9)
    train(change(tiny, "runtime", out=tmp_path / "whole"))

    save = loop.Keeper.save

    def stop(self: loop.Keeper) -> None:
        if moment == "after the first epoch":
            save(self)
        raise _Stop

    with monkeypatch.context() as patch:
        patch.setattr(loop.Keeper, "save", stop)
        with pytest.raises(_Stop):
            train(change(tiny, "runtime", out=tmp_path / "parts"))
    done = _column(tmp_path / "parts" / "steps.csv", "step")
    assert done == [1, 2, 3]

    train(change(tiny, "runtime", out=tmp_path / "parts", resume=True))
    whole, parts = _weights(tmp_path / "whole"), _weights(tmp_path / "parts")
    assert all(tensor.equal(parts[name]) for name, tensor in whole.items())
    for name in ("step", "loss", "lr"):
        column = _column(tmp_path / "parts" / "steps.csv", name)
        assert column == _column(tmp_path / "whole" / "steps.csv", name)
    assert _column(tmp_path / "parts" / "epochs.csv", "epoch") == [1, 2]
    assert len(json.loads((tmp_path / "parts" / "run.json").read_text())["resumed"]) == 1


def test_a_run_can_go_on_within_an_epoch(
    tiny: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"also": "folder", "also_root": tiny.data.root, "also_split": "val"}
    tiny = change(tiny, "data", degrade=0.6, also_share=0.34, **other)
    train(change(tiny, "runtime", out=tmp_path / "whole"))
    parts = change(tiny, "runtime", out=tmp_path / "parts", save_steps=2)
    step = Stepper.step

    def stop_at_the_third(self: Stepper, group: Any) -> Outcome:
        if self._state.progress.step == 2:
            raise _Stop
        return step(self, group)

    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "step", stop_at_the_third)
        with pytest.raises(_Stop):
            train(parts)
    assert _state(tmp_path / "parts")["progress"]["position"] == 2
    train(change(parts, "runtime", resume=True))
    whole, found = _weights(tmp_path / "whole"), _weights(tmp_path / "parts")
    assert all(tensor.equal(found[name]) for name, tensor in whole.items())
    assert _column(tmp_path / "parts" / "steps.csv", "step") == [1, 2, 3, 4, 5, 6]
    losses = _column(tmp_path / "parts" / "epochs.csv", "loss")  # of all steps of the epoch
    assert losses == _column(tmp_path / "whole" / "epochs.csv", "loss")


def test_bf16_trains_and_validates_every_so_often(tiny: Experiment, tmp_path: Path) -> None:
    experiment = change(change(tiny, "runtime", precision="bf16"), "eval", every=2)
    folder = train(change(experiment, "optim", epochs=3, optimizer="sgd", lr=0.01)).folder
    with (folder / "epochs.csv").open(newline="") as file:
        mious = [row["miou"] for row in csv.DictReader(file)]
    assert [bool(miou) for miou in mious] == [False, True, True]
    assert all(loss > 0 for loss in _column(folder / "steps.csv", "loss"))


def test_the_criterion_is_told_its_epoch_when_a_run_is_resumed(
    tiny: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = change(tiny, "loss", main="boundary_relaxed", relax_until=0)
    relaxed: list[bool] = []
    step = Stepper.step

    def note(self: Stepper, group: Any) -> Outcome:
        assert isinstance(self._criterion.main, BoundaryRelaxedLoss)
        relaxed.append(self._criterion.main.relaxes)
        return step(self, group)

    def stop(*_: object) -> None:
        raise _Stop

    monkeypatch.setattr(Stepper, "step", note)
    save = loop.Keeper.save
    with monkeypatch.context() as patch:
        patch.setattr(loop.Keeper, "save", lambda self: (save(self), stop()))
        with pytest.raises(_Stop):
            train(tiny)
    assert relaxed == [True] * 3
    train(change(tiny, "runtime", resume=True))
    assert relaxed == [True] * 3 + [False] * 3


def test_fallbacks_are_told_epoch_by_epoch(
    tiny: Experiment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = count()  # those of the first epoch's steps come first, then its validation's
    factorise = region_mutual_information.factorise
    monkeypatch.setattr(
        region_mutual_information,
        "factorise",
        lambda matrices: None if next(calls) in (1, 2) else factorise(matrices),
    )
    folder = train(change(tiny, "loss", main="rmi"), [make_display()]).folder
    assert _column(folder / "epochs.csv", "rmi_fallbacks") == [2, 0]
    first, second = (x for x in capsys.readouterr().err.splitlines() if "mIoU" in x)
    assert "RMI fallbacks to BCE: 2" in first
    assert "fallbacks" not in second


def test_nothing_is_written_for_what_cannot_be(tiny: Experiment, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--runtime\.precision bf16"):
        train(change(tiny, "runtime", precision="fp16"))
    with pytest.raises(UserError, match=r"--data\.batch 6"):
        train(change(tiny, "data", batch=7))
    with pytest.raises(UserError, match="nonsense"):
        train(replace(tiny, model=replace(tiny.model, name="nonsense")))
    assert not (tmp_path / "run").exists()
