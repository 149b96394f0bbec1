"""ImageNet classifiers as trunks: converted, and as what a network starts from."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor

from hierseg import cli
from hierseg.checkpoint.load import load_model, open_weights
from hierseg.checkpoint.published.deeplab import WIDE_RESNET_IMAGENET, XCEPTION_IMAGENET
from hierseg.checkpoint.published.official_hrnet import HRNET_IMAGENET
from hierseg.checkpoint.save import save_checkpoint
from hierseg.config import ModelConfig
from hierseg.errors import UsageError, UserError
from hierseg.labels import CITYSCAPES
from hierseg.models.registry import create_model
from hierseg.training.initialization import check_start, start_network
from support.published_files import (
    narrow_arguments,
    narrow_network,
    published_tensors,
    write_torch,
)

TRUNKS: dict[str, tuple[Any, str, dict[str, Any], dict[str, Tensor]]] = {
    "wrn38": (
        WIDE_RESNET_IMAGENET,
        "vplr-wrn38",
        {"width": 4, "shallow": True},
        {"bn_out.0.weight": torch.rand(9), "classifier.fc.weight": torch.rand(5, 9)},
    ),
    "xception71": (
        XCEPTION_IMAGENET,
        "deeplabv3plus-xception71",
        {"width": 4, "shallow": True},
        {"fc.weight": torch.rand(5, 9), "fc.bias": torch.rand(5)},
    ),
    "hrnet": (
        HRNET_IMAGENET,
        "hrnet48",
        {"width": 4},
        {"incre_modules.0.0.conv1.weight": torch.rand(3), "classifier.bias": torch.rand(5)},
    ),
}


@pytest.mark.parametrize(
    "kind", ["wrn38", "xception71", pytest.param("hrnet", marks=pytest.mark.slow)]
)
def test_trunk_of_a_classifier(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, model, arguments, classifier = TRUNKS[kind]
    source, target = (create_model(model, **arguments) for _ in range(2))
    weights = {
        table.to_published(f"trunk.{name}"): tensor + 1
        for name, tensor in source.trunk.state_dict().items()
    }
    file = write_torch(tmp_path / "imagenet.pth", weights | classifier, nested=False, prefix="")
    out, back = tmp_path / "trunk.safetensors", tmp_path / "back.pth"
    assert cli.main(["convert", str(file), str(out)]) == 0
    said = capsys.readouterr().out
    assert f"{len(classifier)} of the classifier are left out" in said
    assert all(name in said for name in classifier)
    for start in (file, out):
        assert not open_weights(start).conventions
        start_network(target, ModelConfig(name=model, init_trunk=start), CITYSCAPES)
        for name, tensor in target.trunk.state_dict().items():
            assert torch.equal(tensor, source.trunk.state_dict()[name] + 1), name
            tensor.zero_()
    with pytest.raises(UserError, match="holds only a trunk; train a network from it"):
        load_model(out)
    with pytest.raises(UserError, match="ImageNet classifier"):
        load_model(file)
    assert cli.main(["convert", str(out), str(back), "--to-published"]) == 0
    written = torch.load(back, weights_only=True)
    assert written.keys() == weights.keys()
    assert all(torch.equal(written[name], tensor) for name, tensor in weights.items())
    weights.popitem()
    file = write_torch(tmp_path / "less.pth", weights, nested=False, prefix="")
    assert cli.main(["convert", str(file), str(out)]) == 1
    assert "1 tensor is missing" in capsys.readouterr().err


@pytest.mark.slow
def test_timm_s_hrnet_has_the_authors_names(tmp_path: Path) -> None:
    """timm kept the names of the authors' ImageNet release, classifier and all."""
    classifier = timm.create_model("hrnet_w18_small_v2")
    file = tmp_path / "hrnet.pth"
    torch.save(classifier.state_dict(), file)
    out = tmp_path / "trunk.safetensors"
    assert cli.main(["convert", str(file), str(out)]) == 0
    network = create_model("hrnet18s-ocr-hier")
    start_network(network, ModelConfig(name="hrnet18s-ocr-hier", init_trunk=out), CITYSCAPES)
    expected = classifier.state_dict()["stage4.1.branches.3.1.bn2.weight"]
    own = network.state_dict()["trunk.stage4.1.branches.3.1.conv2.norm.weight"]
    assert torch.equal(own, expected)


def test_start_from_a_published_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = narrow_network("deeplabv3plus-wrn38", 65)
    tensors = published_tensors(source, "deeplabv3plus-wrn38")
    file = write_torch(tmp_path / "mapillary.pth", tensors)
    arguments = narrow_arguments("deeplabv3plus-wrn38-hier")
    network = create_model("deeplabv3plus-wrn38-hier", 19, **arguments)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    config = ModelConfig(name="deeplabv3plus-wrn38-hier", weights=str(file))
    with pytest.raises(UserError, match=r"1 tensor is of another shape.*--model\.replace-head"):
        start_network(network, config, CITYSCAPES)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    start_network(network, dataclasses.replace(config, replace_head=True), CITYSCAPES)
    said = capsys.readouterr().err
    assert "tensors start from random weights: " in said
    assert "attention.conv1.conv.weight" in said
    for name, tensor in network.state_dict().items():
        anew = name.startswith(("attention.", "head.classify."))
        assert torch.equal(tensor, before[name] if anew else source.state_dict()[name]), name


def test_a_published_head_is_kept_for_its_own_classes_alone(tmp_path: Path) -> None:
    source = narrow_network("deeplabv3plus-wrn38", 19)
    tensors = published_tensors(source, "deeplabv3plus-wrn38")
    file = write_torch(tmp_path / "cityscapes.pth", tensors)
    mine = dataclasses.replace(CITYSCAPES, names=tuple(f"mine {n}" for n in range(19)))
    config = ModelConfig(name="deeplabv3plus-wrn38-hier", weights=str(file), replace_head=True)
    for space in (CITYSCAPES, mine):
        arguments = narrow_arguments("deeplabv3plus-wrn38-hier")
        network = create_model("deeplabv3plus-wrn38-hier", 19, **arguments)
        start_network(network, config, space)
        own, given = network.state_dict(), source.state_dict()
        heads = [name for name in given if name.startswith("head.classify.")]
        assert heads
        for name in heads:
            assert torch.equal(own[name], given[name]) == (space is CITYSCAPES), name


def test_start_from_an_own_checkpoint(tmp_path: Path) -> None:
    source = narrow_network("vplr-wrn38")
    path = tmp_path / "own.safetensors"
    save_checkpoint(path, source, CITYSCAPES)
    network = create_model("vplr-wrn38", **narrow_arguments("vplr-wrn38"))
    start_network(network, ModelConfig(name="vplr-wrn38", weights=str(path)), CITYSCAPES)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, source.state_dict()[name]), name
    other = create_model("deeplabv3plus-xception71", width=4, shallow=True)
    with pytest.raises(UserError, match=r"does not fit deeplabv3plus-xception71: .* missing"):
        start_network(
            other, ModelConfig(name="deeplabv3plus-xception71", init_trunk=path), CITYSCAPES
        )


def test_flags_that_exclude_each_other(tmp_path: Path) -> None:
    file = tmp_path / "a.pth"
    file.touch()
    with pytest.raises(UsageError, match=r"leave it or --model\.init-trunk out"):
        check_start(ModelConfig(init_trunk=file, weights=str(file)))
    with pytest.raises(UsageError, match=r"no effect without --model\.weights"):
        check_start(ModelConfig(replace_head=True))
    with pytest.raises(UserError, match="there are no weights"):
        check_start(ModelConfig(init_trunk=tmp_path / "none.pth"))
    assert not ModelConfig(init_trunk=file).from_imagenet
    assert ModelConfig().from_imagenet
