"""A run starts from the weights that it is given, and its average with it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from hierseg import assembly as build
from hierseg.checkpoint.load import load_model
from hierseg.checkpoint.save import save_checkpoint
from hierseg.config import Experiment, ModelConfig
from hierseg.data.base import Statistics
from hierseg.errors import UsageError, UserError
from hierseg.models.registry import create_model
from hierseg.training.folder import RunFolder
from hierseg.training.initialization import check_start, start_network
from hierseg.training.loop import prepare_run
from support.published_files import narrow_network, published_tensors, write_torch

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


def test_a_head_of_as_many_other_classes_starts_anew(
    tiny: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = build.build_datasets(tiny).train.label_space
    path, name = tmp_path / "start.safetensors", "head.classify.weight"
    for names in (("cat", "dog", "bird"), space.names):
        save_checkpoint(
            path, create_model("lite0-ocr-hier", 3), dataclasses.replace(space, names=names)
        )
        given = load_model(path).state_dict()
        network = create_model("lite0-ocr-hier", 3)
        before = network.state_dict()[name].clone()
        start_network(network, ModelConfig(weights=str(path), replace_head=True), space)
        kept = given if names == space.names else {name: before}
        assert torch.equal(network.state_dict()[name], kept[name])
        trunk = next(key for key in given if key.startswith("trunk.") and key.endswith("weight"))
        assert torch.equal(network.state_dict()[trunk], given[trunk])
        said = capsys.readouterr().err
        assert ("its classification layers are kept" in said) == (names == space.names)
        assert ("tensors start from random weights: head." in said) == (names != space.names)


OWN: dict[str, Any] = {"mean": (0.2, 0.3, 0.4), "std": (0.5, 0.25, 0.125), "align_corners": True}


def test_a_run_computes_what_its_weights_do(
    tiny: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = build.build_datasets(tiny)
    path = tmp_path / "start.safetensors"
    save_checkpoint(path, create_model("lite0-ocr-hier", 3, **OWN), data.train.label_space)
    experiment = change(tiny, "model", weights=str(path))
    folder = RunFolder.open(experiment)
    run = prepare_run(experiment, data, folder)
    assert "normalised" not in capsys.readouterr().err
    image = torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8)
    expected = load_model(path)(image).logits
    assert torch.equal(run.network.eval()(image).logits, expected)
    folder.path.mkdir()
    run.checkpoints.write(run.state.collect(), step=0, epoch=0)
    path.unlink()
    run = prepare_run(change(experiment, "runtime", resume=True), data, folder)
    assert torch.equal(run.network.eval()(image).logits, expected)


def test_statistics_of_the_data_come_before_those_of_the_weights(
    tiny: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = build.build_datasets(tiny)
    own, usual = tmp_path / "own.safetensors", tmp_path / "usual.safetensors"
    save_checkpoint(own, create_model("lite0-ocr-hier", 3, **OWN), data.train.label_space)
    save_checkpoint(usual, create_model("lite0-ocr-hier", 3), data.train.label_space)
    trunks_own = Statistics((127 / 255,) * 3, (128 / 255,) * 3)
    known = Statistics(OWN["mean"], OWN["std"])
    for path, statistics, says in (
        (own, trunks_own, True), (own, known, False),
        (usual, known, True), (usual, trunks_own, False),
    ):  # fmt: skip
        experiment = change(tiny, "model", weights=str(path))
        data.train.statistics = statistics
        run = prepare_run(experiment, data, RunFolder.open(experiment))
        assert run.network.mean.flatten().tolist() == pytest.approx(statistics.mean)
        assert run.network.align_corners == (path is own)
        assert ("trained with another mean and std" in capsys.readouterr().err) == says


def test_what_does_not_fit_is_skipped_and_listed(
    tiny: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = build.build_datasets(tiny).train.label_space
    path = tmp_path / "start.safetensors"
    torch.manual_seed(5)
    # Other classes, a narrower attention without its second convolution, and an ASPP of its own.
    given = create_model("hrnet18s-ocr-hier", 3, width=2, attention_channels=6, mid_channels=8)
    save_checkpoint(path, given, space)
    torch.manual_seed(6)
    network = create_model(
        "hrnet48-ocraspp-hier", 4, width=2, small=True, attention_channels=4, mid_channels=8
    )
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    model = ModelConfig(name="hrnet48-ocraspp-hier", weights=str(path), skip_mismatched=True)
    start_network(network, model, space)
    after, source = network.state_dict(), given.state_dict()
    for name, tensor in after.items():
        fits = name in source and source[name].shape == tensor.shape
        assert torch.equal(tensor, source[name] if fits else before[name]), name
    said = capsys.readouterr().err
    unlike = [name for name in source if name in after and source[name].shape != after[name].shape]
    lacking = [name for name in after if name not in source]
    assert unlike
    assert lacking
    for line, names in (("another shape or type", unlike), ("random weights", [*unlike, *lacking])):
        [line] = [row for row in said.splitlines() if line in row]
        layers = {".".join(name.split(".")[:2]) for name in names}
        assert all(f"{layer} (" in line for layer in layers), line
        assert f"{len(names)} tensors" in line
    assert "head.context (" in said


def test_nothing_that_fits_is_no_start(tiny: Experiment, tmp_path: Path) -> None:
    space = build.build_datasets(tiny).train.label_space
    path = tmp_path / "start.safetensors"
    save_checkpoint(path, create_model("hrnet18s-ocr", 3, width=2, mid_channels=8), space)
    network = create_model("deeper-wrn38", 3, width=4, shallow=True)
    model = ModelConfig(name="deeper-wrn38", weights=str(path), skip_mismatched=True)
    with pytest.raises(UserError, match=r"no tensor of .*start.safetensors fits deeper-wrn38"):
        start_network(network, model, space)
    with pytest.raises(UsageError, match=r"skip-mismatched has no effect without --model\.weights"):
        check_start(ModelConfig(skip_mismatched=True))
    with pytest.raises(UserError, match=r"or --model\.skip-mismatched to take what fits"):
        start_network(network, dataclasses.replace(model, skip_mismatched=False), space)


def test_a_published_file_that_does_not_fit_its_own_network_may_start_one(
    tiny: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = build.build_datasets(tiny).train.label_space
    given = narrow_network("deeper-wrn38-hier", 3)
    tensors = published_tensors(given, "deeper-wrn38-hier")
    tensors.pop("conv_up1.weight")
    tensors["extra.layer.weight"] = torch.ones(3)
    path = write_torch(tmp_path / "a.pth", tensors)
    network = create_model("deeper-wrn38-hier", **{**given.builder_arguments, "num_classes": 3})
    model = ModelConfig(name="deeper-wrn38-hier", weights=str(path))
    with pytest.raises(UserError, match="does not fit its network"):
        start_network(network, model, space)
    start_network(network, dataclasses.replace(model, skip_mismatched=True), space)
    assert "skipped, as deeper-wrn38-hier has none of the name: extra.layer (1)" in (
        capsys.readouterr().err
    )
    own = network.state_dict()
    for name, tensor in given.state_dict().items():
        assert torch.equal(own[name], tensor) == (name != "head.reduce_context.weight"), name
