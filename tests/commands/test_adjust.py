"""`hierseg adjust`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from hierseg.checkpoint.annotate import annotate_checkpoint
from hierseg.checkpoint.format import read_header
from hierseg.checkpoint.load import load_model
from hierseg.checkpoint.save import save_checkpoint
from hierseg.cli import main
from hierseg.data.catalog import open_dataset
from hierseg.evaluation.evaluator import evaluate
from hierseg.labels import CITYSCAPES
from hierseg.models.registry import create_model
from hierseg.size import Size
from hierseg.streets import write_streets

BIAS = "head.classify.bias"


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes for training and one for validation, small."""
    root = tmp_path_factory.mktemp("streets")
    write_streets(root, 4, Size(64, 96), seed=1, val_fraction=0.25)
    return root


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of drawn scenes with a bias against road, in half precision, with a temperature."""
    network = load_model("streets-lite0")
    with torch.no_grad():
        network.get_parameter(BIAS)[0] -= 1.5
    folder = tmp_path_factory.mktemp("own")
    path = folder / "own.safetensors"
    save_checkpoint(path, network, CITYSCAPES, {"miou": 0.7, "epoch": 3}, half=True)
    annotate_checkpoint(path, path, network, {"temperature": 1.5, "calibration": {}, "mine": 7})
    return path


def _adjust(*words: object) -> int:
    return main(["adjust", "--data", "cityscapes", *map(str, words)])


def test_offsets_go_to_the_last_bias_and_raise_miou(
    streets: Path, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, before = tmp_path / "adjusted.safetensors", own.read_bytes()
    flags = ("--root", streets, "--weights", own, "--pixels", 18_432, "--scales", 1)
    assert _adjust("--out", out, *flags) == 0
    assert own.read_bytes() == before
    said = capsys.readouterr().out
    header = read_header(out)
    about = header.extra["adjustment"]
    offsets = dict(zip(CITYSCAPES.names, about["offsets"], strict=True))
    assert offsets["road"] > 0
    assert f"road          {offsets['road']:+.3f}" in said
    # All pixels were fitted on, so the figure is that of the split itself.
    dataset = open_dataset("cityscapes", streets, "train")
    found = evaluate(load_model(out), dataset, (1.0,)).scores
    present = [iou for name, iou in found.iou.items() if name in _labelled(dataset)]
    assert sum(present) / len(present) == pytest.approx(about["sample_miou"][1], abs=2e-3)
    assert about["sample_miou"][1] > about["sample_miou"][0] + 0.01
    # Nothing else has changed, but for the temperature, which was that of other logits.
    old, new = load_file(own), load_file(out)
    assert [name for name in old if not torch.equal(old[name], new[name])] == [BIAS]
    assert torch.equal(new[BIAS], old[BIAS] + torch.tensor(about["offsets"]))
    assert {name: tensor.dtype for name, tensor in old.items()} == {
        name: tensor.dtype for name, tensor in new.items()
    }
    assert header.temperature == 1
    assert header.extra["mine"] == 7
    assert "calibration" not in header.extra
    assert header.record == {"epoch": 3}


def test_a_split_of_which_no_pixel_counts_ends_with_a_sentence(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train", "val"):
        (tmp_path / "images" / split).mkdir(parents=True)
        (tmp_path / "labels" / split).mkdir(parents=True)
        Image.new("RGB", (96, 64)).save(tmp_path / "images" / split / "a.png")
        Image.new("L", (96, 64), 255).save(tmp_path / "labels" / split / "a.png")
    names = {"names": list(CITYSCAPES.names)}
    (tmp_path / "labels.json").write_text(json.dumps(names))
    flags = ["--data", "folder", "--root", str(tmp_path), "--weights", str(own)]
    out = ["--out", str(tmp_path / "out.safetensors")]
    for command, more in (("evaluate", []), ("calibrate", out), ("adjust", out)):
        assert main([command, *flags, *more]) == 1
        told = capsys.readouterr()
        split = "train" if command == "adjust" else "val"
        assert f"hierseg: no pixel of split '{split}' of folder has a class" in told.err
        assert "mIoU" not in told.out
    assert not (tmp_path / "out.safetensors").exists()


def _labelled(dataset: object) -> set[str]:
    seen: set[int] = set()
    for index in range(len(dataset)):  # type: ignore[arg-type]
        seen |= set(dataset.read(index).labels.reshape(-1).tolist())  # type: ignore[attr-defined]
    return {CITYSCAPES.names[label] for label in seen - {CITYSCAPES.ignore}}


def test_weights_stay_unless_they_are_to_be_written_over(
    streets: Path, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(own.read_bytes())
    flags = ("--root", streets, "--weights", copy, "--out", copy, "--limit", 1, "--scales", 1)
    assert _adjust(*flags) == 2
    assert "is the weights themselves" in capsys.readouterr().err
    assert copy.read_bytes() == own.read_bytes()
    assert _adjust(*flags, "--overwrite") == 0
    assert "adjustment" in read_header(copy).extra


def test_a_network_without_a_last_bias_is_refused_before_it_is_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, out = tmp_path / "plus.safetensors", tmp_path / "out.safetensors"
    network = create_model("deeplabv3plus-resnet50", 19, width=4, shallow=True)
    save_checkpoint(weights, network, CITYSCAPES)
    (tmp_path / "no-data").mkdir()
    flags = ("--root", tmp_path / "no-data", "--weights", weights, "--out", out)
    assert _adjust(*flags) == 1
    assert "no bias in its last convolution" in capsys.readouterr().err
    assert not out.exists()


def test_what_cannot_be_is_refused(
    streets: Path, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = tmp_path / "out.safetensors"
    for flags, status, message in (
        (("--out", tmp_path / "out.pth"), 2, "not named *.safetensors"),
        (("--out", good, "--pixels", 0), 2, "--pixels 0"),
        (("--out", tmp_path / "no" / "out.safetensors"), 1, "no folder"),
        (("--out", good, "--weights", "nowhere"), 2, "no weights 'nowhere'"),
    ):
        assert _adjust("--root", streets, "--weights", own, *flags) == status, flags
        assert message in capsys.readouterr().err
    assert not good.exists()
