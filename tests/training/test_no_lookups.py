"""What needs no ImageNet weights looks up no name and opens no connection."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path
from typing import Any

import pytest

from hierseg import assembly as build
from hierseg import cli
from hierseg.checkpoint.load import load_model, open_weights
from hierseg.checkpoint.save import save_checkpoint
from hierseg.config import Experiment
from hierseg.models import pretrained
from hierseg.models.registry import create_model, list_models
from hierseg.training.folder import RunFolder
from hierseg.training.loop import prepare_run
from support.published_files import narrow_network, published_tensors, write_torch

from .conftest import change


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was looked up or connected to: nothing may be."""
    found: list[Any] = []

    def refuse(*arguments: Any, **_: Any) -> Any:
        found.append(arguments)
        raise OSError("no network")

    for name in ("getaddrinfo", "gethostbyname", "gethostbyaddr", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    # As if no package carried any: what is asked for would be looked for outside.
    monkeypatch.setattr(pretrained, "_packaged_weights", lambda _: None)
    return found


def test_the_guard_itself(lookups: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_OFFLINE", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pretrained, "getproxies", dict)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.warns(pretrained.PretrainedWeightsWarning):
        create_model("lite0-ocr-hier", 3, pretrained=True)
    assert lookups


def test_networks_checkpoints_and_conversions(lookups: list[Any], tmp_path: Path) -> None:
    load_model()
    assert open_weights("streetlite").tensors
    create_model("lite0-ocr-hier", 3)
    create_model("timm:mobilenetv3_small_050", 3)
    create_model("deeplabv3plus-resnet50", 3, width=4, shallow=True)
    list_models("timm:resnet*")
    network = narrow_network("vplr-resnet50")
    file = write_torch(tmp_path / "a.pth", published_tensors(network, "vplr-resnet50"))
    own, back = tmp_path / "own.safetensors", tmp_path / "back.pth"
    assert cli.main(["convert", str(file), str(own)]) == 0
    assert cli.main(["convert", str(own), str(back), "--to-published"]) == 0
    assert cli.main(["models", "lite0*"]) == 0
    assert not lookups


def test_trainings_from_weights_and_resumed_ones(
    tiny: Experiment, lookups: list[Any], tmp_path: Path
) -> None:
    tiny = change(tiny, "model", pretrained=True)
    data = build.build_datasets(tiny)
    path = tmp_path / "start.safetensors"
    save_checkpoint(path, create_model("lite0-ocr-hier", 3), data.train.label_space)
    began = change(tiny, "model", weights=str(path))
    folder = RunFolder.open(began)
    run = prepare_run(began, data, folder)
    run.folder.path.mkdir()
    run.checkpoints.write(run.state.collect(), step=0, epoch=0)
    trunk = change(tiny, "model", init_trunk=path)
    prepare_run(trunk, data, RunFolder(tmp_path / "other"))
    # A run that began with ImageNet weights has its own in the checkpoint.
    resumed = dataclasses.replace(tiny, runtime=dataclasses.replace(tiny.runtime, resume=True))
    folder.begin(tiny, data)
    prepare_run(resumed, data, folder)
    assert not lookups
