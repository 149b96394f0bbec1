from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hierseg.checkpoint import load_sdcnet, save_sdcnet
from hierseg.cli import main
from hierseg.flow import SdcNet
from support.moving import draw_clip, write_clip
from support.published_files import read_published


def test_flags_reach_the_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips, out = write_clip(tmp_path / "clips", draw_clip(4, 64, 64)), tmp_path / "run"
    words = ["--root", str(clips), "--out", str(out), "--batch", "1", "--model.form", "prediction"]
    few = ["--model.width", "4", "--optim.steps", "1", "--data.workers", "0", "--device", "cpu"]
    assert main(["train", "sdcnet", *words, *few]) == 0
    assert f"use it as --flow sdcnet:{out}" in capsys.readouterr().out
    network = load_sdcnet(out / "best.safetensors").network
    assert (network.form, network.width) == ("prediction", 4)


def test_help_names_its_flags_and_only_short_ones_that_it_has(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["train", "sdcnet", "--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert "--data.reverse" in said
    assert "--root PATH, --data.root PATH" in said
    assert "--epochs" not in said
    assert main(["train", "--help"]) == 0
    assert "sdcnet" in capsys.readouterr().out


def test_a_folder_that_is_not_there_is_said_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "sdcnet", "--root", str(tmp_path / "none"), "--out", "x"]) == 2
    assert "--data.root: the folder" in capsys.readouterr().err


def test_a_network_of_flow_is_converted_there_and_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, published = tmp_path / "a.safetensors", tmp_path / "a.pth.tar"
    again = tmp_path / "b.safetensors"
    save_sdcnet(own, SdcNet(width=4))
    assert main(["convert", str(own), str(published), "--to-published"]) == 0
    assert "module.final_flow.weight" in read_published(published)
    assert main(["convert", str(published), str(again)]) == 0
    assert f"--flow sdcnet:{again}" in capsys.readouterr().out
    tensors = load_sdcnet(own).network.state_dict()
    for name, tensor in load_sdcnet(again).network.state_dict().items():
        assert torch.equal(tensor, tensors[name])
    assert main(["convert", str(published), str(tmp_path / "c.safetensors"), "--ema"]) == 2
    assert "leave --ema out" in capsys.readouterr().err
    labels = ["--labels", "camvid"]
    assert main(["convert", str(published), str(tmp_path / "c.safetensors"), *labels]) == 2
    assert "is an SDC-Net, which has no classes" in capsys.readouterr().err
