"""What is said of a run that ends where it began."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hierseg.evaluation.result import Evaluation
from hierseg.metrics.confusion import ConfusionMatrix
from hierseg.training.outcome import describe_outcome
from hierseg.training.reporting.journal import EPOCH_FIELDS, STEP_FIELDS
from hierseg.training.table import CsvTable

NAMES = ("red", "green", "blue")


def _journal(folder: Path, epochs: list[dict[str, float]], losses: list[float]) -> Any:
    folder.mkdir()
    tables = SimpleNamespace(
        steps=CsvTable(folder / "steps.csv", STEP_FIELDS),
        epochs=CsvTable(folder / "epochs.csv", EPOCH_FIELDS),
    )
    for number, row in enumerate(epochs, start=1):
        tables.epochs.append({"epoch": number, **row})
    for number, loss in enumerate(losses, start=1):
        tables.steps.append({"step": number, "loss": loss})
    return tables


def _evaluation(predicted: list[int]) -> Evaluation:
    matrix = ConfusionMatrix(3)
    for truth in range(3):
        for label in predicted:
            matrix.matrix[truth, label] += 5
    return Evaluation(
        scores=matrix.scores(NAMES),
        confusion=tuple(tuple(row) for row in matrix.matrix.tolist()),
        data="x", split="val", names=NAMES, scales=(1.0,), flip=False, images=2,
    )  # fmt: skip


def _run(limit: int | None = None, is_first: bool = True) -> Any:
    return SimpleNamespace(
        experiment=SimpleNamespace(runtime=SimpleNamespace(limit_batches=limit)),
        fabric=SimpleNamespace(is_global_zero=is_first),
    )


def test_a_run_that_has_learnt_says_nothing(tmp_path: Path) -> None:
    epochs = [{"loss": 2.0, "miou": 0.1}, {"loss": 1.0}, {"loss": 1.5, "miou": 0.2}]
    journal = _journal(tmp_path / "run", epochs, [])
    assert describe_outcome(_run(), journal, _evaluation([0, 1])) == ""
    assert describe_outcome(_run(), journal, None) == ""


def test_each_sign_is_told_with_its_numbers(tmp_path: Path) -> None:
    epochs = [{"loss": 2.0, "miou": 0.25}, {"loss": 1.0}, {"loss": 2.0, "miou": 0.25}]
    journal = _journal(tmp_path / "run", epochs, [])
    said = describe_outcome(_run(), journal, _evaluation([1]))
    assert said.startswith("the run ends where it began: every pixel of validation is taken for 'g")
    assert "mean IoU was 0.2500 at the first validation, and never higher" in said
    assert "the loss was 2.0000 in the first epoch, 2.0000 in the last" in said
    assert "--optim.epochs" in said
    assert "--init" in said
    assert describe_outcome(_run(limit=1), journal, _evaluation([1])) == ""
    assert describe_outcome(_run(is_first=False), journal, _evaluation([1])) == ""


def test_of_a_single_epoch_the_steps_are_compared(tmp_path: Path) -> None:
    one = [{"loss": 2.0, "miou": 0.07}]
    rising = _journal(tmp_path / "rising", one, [2.0, 1.9, *[1.0] * 4, 2.1, 2.0])
    said = describe_outcome(_run(), rising, _evaluation([0, 2]))
    assert "the loss was 1.9500 in the first quarter of its steps, 2.0500 in the last" in said
    falling = _journal(tmp_path / "falling", one, [2.0, 1.9, *[1.0] * 4, 1.1, 1.0])
    assert describe_outcome(_run(), falling, _evaluation([0, 2])) == ""
    few = _journal(tmp_path / "few", one, [1.0, 2.0, 3.0])
    assert describe_outcome(_run(), few, _evaluation([0, 2])) == ""
