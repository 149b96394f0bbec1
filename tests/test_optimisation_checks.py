"""Settings of optimiser and runtime that cannot be are refused with the flag that cures them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from hierseg.assembly.checks import check_experiment
from hierseg.config import DataConfig, Experiment, RuntimeConfig
from hierseg.errors import UsageError

GOOD = Experiment(
    data=DataConfig(root=Path("data")), runtime=RuntimeConfig(out=Path("run"), device="cpu")
)

BAD: list[tuple[str, dict[str, Any]]] = [
    ("optim.accumulate", {"accumulate": 0}),
    ("optim.clip-norm", {"clip_norm": -1.0}),
    ("optim.rescale", {"rescale": 0.0}),
    ("optim.turn-exponent", {"turn_exponent": -1.0}),
    ("optim.turn", {"schedule": "poly2", "turn": -1}),
    ("optim.amsgrad", {"amsgrad": True}),
    ("runtime.limit-batches", {"limit_batches": 0}),
    ("runtime.keep", {"keep": 0}),
    ("model.compile", {"compile": True, "grad_checkpoint": True}),
    ("runtime.seed", {"seed": -1}),
    ("runtime.seed", {"seed": 2**63}),
    ("data.scale-max", {"scale_max": float("inf")}),
    ("data.auto-threshold", {"auto_threshold": 1.1, "extra": "auto"}),
    ("runtime.save-steps", {"save_steps": -1}),
    ("runtime.save-minutes", {"save_minutes": -1.0}),
]


def _change(part: str, **values: Any) -> Experiment:
    changed = dataclasses.replace(getattr(GOOD, part), **values)
    return dataclasses.replace(GOOD, **{part: changed})


@pytest.mark.parametrize(("flag", "values"), BAD)
def test_the_flag_is_named(flag: str, values: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=rf"--{flag}\b"):
        check_experiment(_change(flag.split(".", maxsplit=1)[0], **values))


def test_what_can_be_is_not_refused() -> None:
    check_experiment(GOOD)
    check_experiment(_change("optim", schedule="poly2", turn=110, epochs=2))  # a short run
    check_experiment(_change("optim", optimizer="adam", amsgrad=True, turn=500))
    check_experiment(_change("runtime", save_minutes=0.0, limit_batches=1))
