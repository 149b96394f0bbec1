"""A run starts from the weights that it is given, and its average with it."""

from __future__ import annotations

from pathlib import Path

import torch

from hierseg import build
from hierseg.checkpoint import load_model, save_checkpoint
from hierseg.config import Experiment
from hierseg.models import create_model
from hierseg.training.folder import RunFolder
from hierseg.training.loop import prepare_run

from .conftest import change


def test_a_run_starts_from_weights(tiny: Experiment, tmp_path: Path) -> None:
    space = build.build_datasets(tiny).train.label_space
    path = tmp_path / "start.safetensors"
    torch.manual_seed(99)
    save_checkpoint(path, create_model("lite0-ocr-hier", 3), space)
    expected = load_model(path).state_dict()
    experiment = change(change(tiny, "model", weights=str(path)), "optim", ema_decay=0.9)
    folder = RunFolder.open(experiment)
    run = prepare_run(experiment, build.build_datasets(experiment), folder)
    assert run.evaluated is not run.network
    for network in (run.network, run.evaluated):
        for name, tensor in network.state_dict().items():
            assert torch.equal(tensor, expected[name]), name
    experiment = change(experiment, "runtime", resume=True)
    folder.path.mkdir()
    name = "head.classify.weight"
    run.network.state_dict()[name].zero_()  # what a run is resumed with replaces everything
    run.checkpoints.write(run.state.collect(), step=0, epoch=0)
    path.unlink()
    run = prepare_run(experiment, build.build_datasets(experiment), folder)
    assert not run.network.state_dict()[name].any()
