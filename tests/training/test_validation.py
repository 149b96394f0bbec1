"""What a validation in training counts and shows."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from hierseg.checkpoint.load import load_model
from hierseg.config import Experiment, LossConfig
from hierseg.data import open_dataset
from hierseg.evaluation.evaluator import evaluate
from hierseg.losses import ImageWeightedCrossEntropy
from hierseg.training.loop import train
from support.pages import read_cards


def test_losses_page_log_and_attention(
    tiny: Experiment, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = replace(
        tiny,
        model=replace(tiny.model, name="lite0-ocr-hier"),
        loss=LossConfig(main="image_weighted"),
        optim=replace(tiny.optim, epochs=1),
    )
    result = train(experiment)
    assert capsys.readouterr().out == ""
    folder = result.folder
    with (folder / "epochs.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    network = load_model(folder / "last.safetensors")
    val = open_dataset("folder", tiny_data, "val")
    criterion = ImageWeightedCrossEntropy()
    again = evaluate(network, val, criterion=lambda a, b: criterion(a, b))
    assert result.last is not None
    assert float(row["val_loss"]) == result.last.val_loss == pytest.approx(again.loss, rel=1e-4)
    assert float(row["val_criterion"]) == pytest.approx(again.criterion, rel=1e-4)
    page = (folder / "validation" / "index.html").read_text(encoding="utf-8")
    assert "Validation after epoch 1 of 1" in page
    cards = read_cards(page)
    assert len(cards) == 2
    for card in cards:
        assert {"attention at 0.5", "wrong pixels"} <= {caption for _, caption, _ in card.pictures}
    log = (folder / "run.log").read_text(encoding="utf-8")
    assert "validated 2 images" in log
    assert f"validation loss {result.last.val_loss:.4f}" in log
    board = EventAccumulator(str(folder / "tensorboard"))
    board.Reload()
    assert {"val/loss", "val/criterion"} <= set(board.Tags()["scalars"])
    picture = board.Images(board.Tags()["images"][0])[0]
    assert (picture.height, picture.width) == (96, 4 * 128 + 3 * 4)  # attention of 0.5 is the last
