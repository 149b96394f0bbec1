"""Tensors as training loops of other people wrap them: read, or refused with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric.utilities.data import AttributeDict
from torch import Tensor

from hierseg import cli
from hierseg.checkpoint.foreign.reading import read_foreign
from hierseg.checkpoint.foreign.recognition import recognise
from hierseg.checkpoint.format import read_header
from hierseg.checkpoint.load import load_model
from hierseg.errors import UserError
from hierseg.models.registry import create_model
from support.published_files import (
    narrow_network,
    published_tensors,
    read_published,
    write_paddle_file,
    write_torch,
)

PUBLICATION = "vplr-wrn38"


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    return published_tensors(narrow_network(PUBLICATION), PUBLICATION)


def _save(content: Any, folder: Path) -> Path:
    torch.save(content, folder / "a.pth")
    return folder / "a.pth"


def _prefixed(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


@pytest.mark.parametrize("entry", ["state_dict", "model_state_dict", "model", "net", "network"])
def test_entries_that_hold_a_network(
    entry: str, tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    content = {"epoch": 3, entry: tensors, "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}}}
    content["best"] = torch.tensor(0.5)
    file, own, back = _save(content, tmp_path), tmp_path / "o.safetensors", tmp_path / "back.pth"
    assert cli.main(["convert", str(file), str(own)]) == 0
    assert cli.main(["convert", str(own), str(back), "--to-published"]) == 0
    written = torch.load(back, weights_only=True)
    assert list(written) == [entry]
    assert written[entry].keys() == tensors.keys()
    assert all(torch.equal(written[entry][name], tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize(
    "prefix",
    ["_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "net.", "network.", "module.net.",
     "net._orig_mod.", "module.module.", "model._orig_mod.module."],
)  # fmt: skip
def test_prefixes_of_wrappers(prefix: str, tensors: dict[str, Tensor], tmp_path: Path) -> None:
    file = _save(_prefixed(tensors, prefix), tmp_path)
    own, back = tmp_path / "own.safetensors", tmp_path / "back.pth"
    assert cli.main(["convert", str(file), str(own)]) == 0
    assert cli.main(["convert", str(own), str(back), "--to-published"]) == 0
    assert read_published(back).keys() == read_published(file).keys()


def test_a_part_that_was_compiled_alone(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    content = {
        name.replace("aspp.", "aspp._orig_mod.", 1): tensor for name, tensor in tensors.items()
    }
    assert read_foreign(_save(content, tmp_path)).tensors.keys() == tensors.keys()


@pytest.mark.parametrize("prefix", ["module.", "model.", "net."])
def test_what_stands_beside_the_network_is_said(
    prefix: str, tensors: dict[str, Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "n_averaged" if prefix == "module." else "criterion.weight"
    file = _save({**_prefixed(tensors, prefix), name: torch.tensor(5)}, tmp_path)
    assert cli.main(["convert", str(file), str(tmp_path / "own.safetensors")]) == 0
    assert f"ignored as no part of the network: {name}" in capsys.readouterr().out


def test_averages_are_taken_where_they_are_asked_for(
    tensors: dict[str, Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    average = {
        name: tensor + 1 if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }
    name = "final.6.weight"
    file = _save({"state_dict": tensors, "state_dict_ema": average}, tmp_path)
    own, asked = tmp_path / "own.safetensors", tmp_path / "asked.safetensors"
    assert cli.main(["convert", str(file), str(own)]) == 0
    assert "its moving average (state_dict_ema) is not used" in capsys.readouterr().out
    assert cli.main(["convert", str(file), str(asked), "--ema"]) == 0
    assert "is not used" not in capsys.readouterr().out
    own_name = "head.classify.weight"
    assert torch.equal(load_model(own).state_dict()[own_name], tensors[name])
    assert torch.equal(load_model(asked).state_dict()[own_name], tensors[name] + 1)


def test_averages_that_are_not_asked_for_or_not_there(
    tensors: dict[str, Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.safetensors"
    file = _save({"state_dict_ema": tensors, "epoch": 1}, tmp_path)
    assert cli.main(["convert", str(file), str(own)]) == 1
    assert "only a moving average of weights (state_dict_ema)" in capsys.readouterr().err
    assert cli.main(["convert", str(file), str(own), "--ema"]) == 0
    file = _save({"state_dict": tensors}, tmp_path)
    assert cli.main(["convert", str(file), str(own), "--ema"]) == 2
    assert "holds no moving average of its weights; leave --ema out" in capsys.readouterr().err


def test_a_whole_model_is_refused_by_its_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in (torch.nn.Linear(2, 2), {"model": torch.nn.Linear(2, 2)}):
        file = _save(content, tmp_path)
        assert cli.main(["convert", str(file), str(tmp_path / "own.safetensors")]) == 1
        assert "Python object 'torch.nn.modules.linear.Linear'" in capsys.readouterr().err
    program = torch.jit.script(torch.nn.Linear(2, 2))
    program.save(tmp_path / "a.pth")
    assert cli.main(["convert", str(file), str(tmp_path / "own.safetensors")]) == 1
    assert "TorchScript program" in capsys.readouterr().err


@pytest.mark.slow
def test_a_small_hrnet_is_not_announced_as_the_large_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for publication, model, changes, name in (
        ("official-hrnet", "hrnet48", {"width": 18}, "hrnet_plain, width 18"),
        ("hrnet-ocr-hier", "hrnet48-ocr-hier", {"width": 18}, "hrnet18-ocr-hier"),
        ("hrnet-ocr-hier", "hrnet48-ocr-hier", {}, "hrnet48-ocr-hier"),
    ):
        with torch.device("meta"):
            network = create_model(model, **changes)
        found = recognise(published_tensors(network, publication), "a.pth")
        assert (found.publication, found.model) == (publication, name)
    with torch.device("meta"):
        network = create_model("hrnet18s-ocr-hier")
    assert recognise(published_tensors(network, "hrnet-ocr-hier"), "a").model == "hrnet18s-ocr-hier"
    network = create_model("hrnet48", width=4)
    file = write_torch(tmp_path / "small.pth", published_tensors(network, "official-hrnet"))
    own = tmp_path / "own.safetensors"
    assert cli.main(["convert", str(file), str(own)]) == 0
    assert "official-hrnet (hrnet_plain, width 4), 19 classes" in capsys.readouterr().out
    assert read_header(own).record["model"] == "hrnet_plain, width 4"


@pytest.mark.parametrize(
    ("publication", "asked"),
    [("hrnet-ocr-hier", "hrnet48"), ("hrnet-ocr-hier", "hrnet48-ocr"), ("vplr-wrn38", "hrnet48")],
)
def test_a_file_of_another_network_is_said_to_be_that(
    publication: str, asked: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = narrow_network(publication)
    file = write_torch(tmp_path / "a.pth", published_tensors(network, publication))
    words = ["convert", str(file), str(tmp_path / "own.safetensors"), "--model", asked]
    assert cli.main(words) == 1
    said = capsys.readouterr().err
    assert f" holds {publication} (" in said
    assert f"not a published form of '{asked}'" in said
    assert "leave --model out, or give --model " in said


def test_mistyped_networks_and_weights_suggest_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, said in (
        (["convert", __file__, "o.safetensors", "--model", "hrnet48-ocr-heir"], "hrnet48-ocr-hier"),
        (["predict", __file__, "--out", str(tmp_path), "--weights", "streetlit"], "streetlite"),
        (["models", "hrnet48-ocr-heir"], "hrnet48-ocr-hier"),
        (["models", "timm:resnet5"], "timm:resnet50"),
        (["train", "streets-lit0"], "streets-lite0"),
    ):
        assert cli.main(words) == 2
        assert f"'{said}'" in capsys.readouterr().err


@pytest.mark.parametrize("dtype", [torch.bool, torch.int32])
@pytest.mark.parametrize("form", ["torch", "paddle"])
def test_numbers_of_another_kind_are_no_weights(
    form: str, dtype: torch.dtype, tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    name = "final.6.weight"
    changed = {**tensors, name: tensors[name].to(dtype)}
    if form == "torch":
        file = write_torch(tmp_path / "a.pth", changed)
    else:
        network = narrow_network("paddleseg-hrnet-ocr")
        changed = published_tensors(network, "paddleseg-hrnet-ocr")
        name = next(iter(changed))
        changed[name] = changed[name].to(dtype)
        file = write_paddle_file(tmp_path / "a.pdparams", changed)
    kind = str(dtype).removeprefix("torch.")
    with pytest.raises(UserError, match=rf"1 tensor is of another type \({name} {kind}\)"):
        load_model(file)


def test_names_reach_the_terminal_without_control_characters(
    tensors: dict[str, Tensor], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    forged = "criterion\x1b[2J\nhierseg: all is well"
    content = {**_prefixed(tensors, "model."), forged: torch.zeros(1)}
    torch.save(content, tmp_path / "a\x1b[31m.pth")
    file = tmp_path / "a\x1b[31m.pth"
    assert cli.main(["convert", str(file), str(tmp_path / "own.safetensors")]) == 0
    load_model(file)
    said = capfd.readouterr()
    for text in (said.out, said.err):
        assert "\x1b" not in text
        assert "\nhierseg: all is well" not in text
    assert r"criterion\x1b[2J\x0ahierseg" in said.out


def test_three_hundred_thousand_names(tmp_path: Path) -> None:
    one = torch.zeros(1)
    file = _save({f"layer{i}.weight": one for i in range(30_000)}, tmp_path)
    with pytest.raises(UserError, match="has 30000 tensors, and no network has more than 20000"):
        load_model(file)


@pytest.mark.parametrize(
    "prefix",
    ["_forward_module.", "_forward_module.model.", "_fsdp_wrapped_module.", "model.module.",
     "_orig_mod._checkpoint_wrapped_module."],
)  # fmt: skip
def test_prefixes_of_lightning_and_fsdp(
    prefix: str, tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    file = _save({"state_dict": _prefixed(tensors, prefix)}, tmp_path)
    assert read_foreign(file).tensors.keys() == tensors.keys()
    own, back = tmp_path / "own.safetensors", tmp_path / "back.pth"
    assert cli.main(["convert", str(file), str(own)]) == 0
    assert cli.main(["convert", str(own), str(back), "--to-published"]) == 0
    assert read_published(back).keys() == read_published(file).keys()


@pytest.mark.parametrize("wrapper", ["_fsdp_wrapped_module.", "_checkpoint_wrapped_module."])
def test_parts_that_were_wrapped_alone(
    wrapper: str, tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    content = {name.replace("aspp.", f"aspp.{wrapper}", 1): t for name, t in tensors.items()}
    assert read_foreign(_save(content, tmp_path)).tensors.keys() == tensors.keys()


def test_a_checkpoint_of_lightning(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    """With what its modules were made of, its loops, and a loss's weights beside the network."""
    content = {
        "epoch": 3,
        "global_step": 100,
        "pytorch-lightning_version": "2.6.5",
        "state_dict": {**_prefixed(tensors, "model."), "criterion.weight": torch.ones(19)},
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 4}}}},
        "callbacks": {"ModelCheckpoint{'monitor': 'mIoU'}": {"best_model_score": torch.ones(())}},
        "optimizer_states": [{"state": {0: {"momentum_buffer": torch.ones(3)}}}],
        "hparams_name": "kwargs",
        "hyper_parameters": AttributeDict(lr=0.1, out=Path("runs"), sizes=(1, 2)),
    }
    found = read_foreign(_save(content, tmp_path))
    assert found.tensors.keys() == tensors.keys()
    assert found.beside == ("criterion.weight",)


@pytest.mark.parametrize("prefix", ["ema_model.", "ema.", "averaged_model.module."])
def test_an_average_beside_the_network_in_one_entry(
    prefix: str, tensors: dict[str, Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    average = {
        name: tensor + 1 if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }
    both = {**_prefixed(tensors, "model."), **_prefixed(average, prefix)}
    if prefix.endswith("module."):  # torch's averaged models count their updates
        both[f"{prefix.removesuffix('module.')}n_averaged"] = torch.tensor(9)
    file = _save({"state_dict": both}, tmp_path)
    own, asked = tmp_path / "own.safetensors", tmp_path / "asked.safetensors"
    assert cli.main(["convert", str(file), str(own)]) == 0
    assert f"its moving average ({prefix.removesuffix('module.')}) is not used" in (
        capsys.readouterr().out
    )
    assert cli.main(["convert", str(file), str(asked), "--ema"]) == 0
    assert "is not used" not in capsys.readouterr().out
    own_name, name = "head.classify.weight", "final.6.weight"
    assert torch.equal(load_model(own).state_dict()[own_name], tensors[name])
    assert torch.equal(load_model(asked).state_dict()[own_name], tensors[name] + 1)
