"""Options that change how a network learns and not what it learns."""

from __future__ import annotations

import csv
import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from hierseg.config import Experiment
from hierseg.training.loop import train

from .conftest import change


def _train(tiny: Experiment, out: Path, **model: Any) -> tuple[list[float], dict[str, Any]]:
    """Losses of two steps, and the weights after them."""
    tiny = change(change(tiny, "runtime", out=out, limit_batches=2), "optim", epochs=1)
    folder = train(change(tiny, "model", **model)).folder
    with (folder / "steps.csv").open(newline="") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    return losses, load_file(folder / "last.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("option", ["grad_checkpoint", "compile"])
def test_the_same_is_learnt(
    tiny: Experiment, tmp_path: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # torch's own code generator takes minutes; what stands around it is ours.
    compile_eagerly = functools.partial(torch.compile, backend="eager")
    monkeypatch.setattr(torch, "compile", compile_eagerly)
    losses, weights = _train(tiny, tmp_path / "plain")
    found, other = _train(tiny, tmp_path / "other", **{option: True})
    assert found == pytest.approx(losses, rel=1e-4)
    assert other.keys() == weights.keys()
    for name, tensor in weights.items():
        torch.testing.assert_close(other[name], tensor, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.slow
def test_a_frozen_trunk_is_that_of_the_start(tiny: Experiment, tmp_path: Path) -> None:
    _, weights = _train(tiny, tmp_path / "first", freeze_trunk=True)
    _, again = _train(tiny, tmp_path / "second", freeze_norms=True)
    moved = {name for name, tensor in weights.items() if not tensor.equal(again[name])}
    assert any("conv" in name for name in moved if name.startswith("trunk."))
    assert not any("running" in name for name in moved if name.startswith("trunk."))


@pytest.mark.slow
def test_a_teacher_joins_the_loss_and_is_in_the_record(tiny: Experiment, tmp_path: Path) -> None:
    tiny = change(tiny, "optim", epochs=1)
    _, plain = _train(tiny, tmp_path / "teacher")
    alone, weights = _train(tiny, tmp_path / "alone")
    assert all(weights[name].equal(plain[name]) for name in plain)
    teacher = str(tmp_path / "teacher")
    unheard, same = _train(
        change(tiny, "distill", teacher=teacher, weight=0.0), tmp_path / "unheard"
    )
    assert unheard == alone
    for name in weights:  # but for rounding: gradients of the logits come by another way
        torch.testing.assert_close(same[name], weights[name], rtol=1e-4, atol=1e-6)
    taught, other = _train(change(tiny, "distill", teacher=teacher), tmp_path / "taught")
    assert taught[0] > alone[0]
    assert not all(other[name].equal(weights[name]) for name in weights)
    with (tmp_path / "taught" / "steps.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    added = [
        float(row["loss"]) - float(row["main"]) - 0.4 * float(row["auxiliary"]) for row in rows
    ]
    assert added == pytest.approx([float(row["distill"]) for row in rows], rel=1e-3)
