"""Converting small networks of each publication's kind, in the publication's form, and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from hierseg import cli
from hierseg.checkpoint.format import read_header
from hierseg.checkpoint.load import load_model, open_weights
from hierseg.checkpoint.save import save_checkpoint
from hierseg.labels import CITYSCAPES
from hierseg.models.network import SegmentationNetwork
from hierseg.models.registry import create_model
from support.published_files import (
    narrow_arguments,
    narrow_network,
    published_tensors,
    read_published,
    write_published,
    write_torch,
)

QUICK = [
    "deeper-wrn38-hier",
    "deeplabv3plus-wrn38-fuse",
    "hrnet-ocr-hier",
    "deeplabv3plus-xception71",
    "vplr-seresnext50",
    "paddleseg-hrnet-ocr",
]
OTHERS = [
    "mmsegmentation-hrnet-ocr",
    "deeplabv3plus-wrn38-hier",
    "deeplabv3plus-wrn38-fuse2",
    "hrnet-basic",
    "hrnet-aspp-hier",
    "hrnet-aspp",
    "hrnet-basic-hier",
    "deeper-wrn38",
    "deeper-xception71",
    "deeper-xception71-hier",
    "hrnet-ocr",
    "deeplabv3plus-wrn38",
    "deeplabv3plus-xception71-hier",
    "deeplabv3plus-resnet50",
    "deeplabv3plus-resnet50-hier",
    "deeplabv3plus-seresnext50",
    "vplr-wrn38",
    "vplr-resnet50",
    "official-hrnet",
    "official-hrnet-ocr",
]


def _assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype, name
        assert torch.equal(found[name], tensor), name


@pytest.mark.parametrize(
    "publication", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]
)
@torch.inference_mode()
def test_there_and_back(
    publication: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = narrow_network(publication)
    file = write_published(tmp_path, publication, network)
    own, back = tmp_path / "own.safetensors", tmp_path / f"back{file.suffix}"
    assert cli.main(["convert", str(file), str(own)]) == 0
    assert f"{publication} (" in capsys.readouterr().out
    loaded = load_model(own)
    assert loaded.header.label_space.name == "cityscapes"
    assert loaded.builder_arguments == network.builder_arguments
    for written in (file, own):
        assert (
            open_weights(written).conventions.get("align_corners", False) == network.align_corners
        )
    image = torch.rand(1, 3, 64, 96)
    logits = network(image).logits
    assert logits.isfinite().all()
    assert torch.equal(loaded(image).logits, logits)
    assert cli.main(["convert", str(own), str(back), "--to-published"]) == 0
    expected = read_published(file)
    expected.pop("loss.criterion.weight", None)
    _assert_same(read_published(back), expected)


@pytest.fixture(scope="module")
def network() -> SegmentationNetwork:
    return narrow_network("vplr-wrn38", 65)


@pytest.mark.parametrize("prefix", ["module.", "", "model.", "module.model."])
@pytest.mark.parametrize(("nested", "legacy"), [(True, False), (False, True)])
def test_forms(
    network: SegmentationNetwork, tmp_path: Path, prefix: str, nested: bool, legacy: bool
) -> None:
    tensors = published_tensors(network, "vplr-wrn38")
    file = write_torch(tmp_path / "a.pth", tensors, prefix, nested, legacy)
    own, back = tmp_path / "own.safetensors", tmp_path / "back.pth"
    assert cli.main(["convert", str(file), str(own)]) == 0
    header = read_header(own)
    assert header.label_space.name == "mapillary"
    assert header.record.get("published", {}).get("epoch") == (174 if nested else None)
    if nested:
        assert header.record["published"]["mean_iu"] == 0.8692
    assert cli.main(["convert", str(own), str(back), "--to-published"]) == 0
    _assert_same(read_published(back), read_published(file))
    assert back.read_bytes()[:2] == file.read_bytes()[:2]  # zip or legacy, as it was
    assert ("state_dict" in torch.load(back, weights_only=True)) == nested


def test_half_precision_and_old_norms_come_back(
    network: SegmentationNetwork, tmp_path: Path
) -> None:
    tensors = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in published_tensors(network, "vplr-wrn38").items()
        if not name.endswith("num_batches_tracked")
    }
    file = write_torch(tmp_path / "a.pth", tensors)
    own, back = tmp_path / "own.safetensors", tmp_path / "back.pth"
    assert cli.main(["convert", str(file), str(own)]) == 0
    state = load_model(own).state_dict()
    assert {t.dtype for t in state.values()} == {torch.float32, torch.int64}
    assert cli.main(["convert", str(own), str(back), "--to-published"]) == 0
    _assert_same(read_published(back), read_published(file))


@torch.inference_mode()
def test_a_published_file_is_weights_directly(
    network: SegmentationNetwork, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = write_torch(tmp_path / "a.pth", published_tensors(network, "vplr-wrn38"))
    loaded = load_model(file)
    assert "a.pth: vplr-wrn38 (vplr-wrn38), 65 classes of mapillary" in caplog.text
    assert not loaded.training
    image = torch.rand(1, 3, 64, 64)
    assert torch.equal(loaded(image).logits, network(image).logits)


@pytest.mark.parametrize(
    ("count", "name", "first"),
    [
        (150, "ade20k", "wall"),
        (59, "pascal-context-59", "aeroplane"),
        (60, "pascal-context", "background"),
        (171, "coco-stuff", "person"),
        (20, "lip", "background"),
        (11, "camvid", "sky"),
    ],
)
def test_label_spaces_by_their_number(count: int, name: str, first: str) -> None:
    from hierseg.checkpoint.foreign.label_spaces import match_label_space

    space = match_label_space(count, "a.pth")
    assert (space.name, space.names[0], len(set(space.names))) == (name, first, count)
    assert len({tuple(color) for color in space.color_table()[:count].tolist()}) == count
    if name == "ade20k":
        assert np.array_equal(space.decode(np.array([0, 149, 255])), [1, 150, 0])


def test_other_classes_by_labels_and_by_a_new_head(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = narrow_network("vplr-wrn38", 7)
    file = write_torch(tmp_path / "a.pth", published_tensors(network, "vplr-wrn38"))
    own = tmp_path / "own.safetensors"
    assert cli.main(["convert", str(file), str(own), "--labels", "generic"]) == 0
    assert read_header(own).label_space.names[6] == "class 6"
    assert cli.main(["convert", str(file), str(own), "--labels", "camvid"]) == 2
    assert "has 7 classes, and 'camvid' has 11" in capsys.readouterr().err
    assert cli.main(["convert", str(file), str(own), "--labels", "camvid", "--replace-head"]) == 0
    assert "starting from random weights are head.classify.weight" in capsys.readouterr().out
    state = load_model(own).state_dict()
    assert state["head.classify.weight"].shape[0] == 11
    for name, tensor in network.state_dict().items():
        assert name == "head.classify.weight" or torch.equal(state[name], tensor)
    assert cli.main(["convert", str(file), str(own), "--replace-head"]) == 2


def test_a_named_network_must_be_the_file_s(
    network: SegmentationNetwork, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_torch(tmp_path / "a.pth", published_tensors(network, "vplr-wrn38"))
    own = tmp_path / "own.safetensors"
    assert cli.main(["convert", str(file), str(own), "--model", "vplr-wrn38"]) == 0
    own.unlink()
    assert cli.main(["convert", str(file), str(own), "--model", "hrnet48-ocr"]) == 1
    assert "not a published form of 'hrnet48-ocr'" in capsys.readouterr().err
    assert not own.exists()


def test_statistics_that_a_form_does_not_hold_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, back = tmp_path / "own.safetensors", tmp_path / "back.pth"
    for statistics, says in (({}, ""), ({"mean": (0.2, 0.3, 0.4)}, "by a mean (0.2, 0.3, 0.4), ")):
        network = create_model("vplr-wrn38", 19, **narrow_arguments("vplr-wrn38"), **statistics)
        save_checkpoint(own, network, CITYSCAPES)
        assert cli.main(["convert", str(own), str(back), "--to-published", "--overwrite"]) == 0
        said = capsys.readouterr().err
        assert says in said if says else not said
