"""Networks of the same tensors: what the file states of itself decides, or who asks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hierseg import cli
from hierseg.checkpoint.format import read_header
from hierseg.checkpoint.load import load_model
from support.published_files import narrow_network, published_tensors, write_torch

FUSE, PLAIN, FUSE2 = (f"deeplabv3plus-wrn38-{kind}" for kind in ("fuse", "hier", "fuse2"))


def _write(folder: Path, publication: str = FUSE, **form: object) -> Path:
    tensors = published_tensors(narrow_network(publication), publication)
    return write_torch(folder / "a.pth", tensors, **form)


@pytest.mark.parametrize(
    ("arch", "model", "expected"),
    [
        (None, None, PLAIN),
        ("mscale.DeepV3W38", None, PLAIN),
        ("mscale.DeepV3W38Fuse", None, FUSE),
        ("network.mscale.DeepV3W38Fuse", None, FUSE),
        ("nobody.knows", None, PLAIN),
        (None, FUSE, FUSE),
        (None, "mscale.DeepV3W38Fuse", FUSE),
        ("mscale.DeepV3W38Fuse", PLAIN, PLAIN),
    ],
)
def test_arch_or_model_decides(
    arch: str | None, model: str | None, expected: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    file, own = _write(tmp_path, arch=arch), tmp_path / "own.safetensors"
    asked = [] if model is None else ["--model", model]
    assert cli.main(["convert", str(file), str(own), *asked]) == 0
    said = capsys.readouterr().out
    assert f"{expected} ({expected})" in said
    assert "ignored" not in said
    combine = read_header(own).arguments["combine"]
    assert combine == ("fuse" if expected == FUSE else "hierarchical")


@pytest.mark.parametrize("arch", ["mscale.DeepV3W38Fuse", "mscale.DeepV3W38", "ocrnet.HRNet"])
def test_an_arch_that_the_tensors_contradict_is_ignored_and_said(
    arch: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, own = _write(tmp_path, FUSE2, arch=arch), tmp_path / "own.safetensors"
    assert cli.main(["convert", str(file), str(own)]) == 0
    said = capsys.readouterr().out
    assert f"{FUSE2} ({FUSE2})" in said
    assert f"the arch that it states ({arch}) is of another network: ignored" in said
    assert read_header(own).arguments["combine"] == "fuse2"


def test_written_back_the_file_states_what_its_tensors_do_not(tmp_path: Path) -> None:
    file, own = _write(tmp_path, arch="mscale.DeepV3W38Fuse"), tmp_path / "own.safetensors"
    back = tmp_path / "back.pth"
    assert cli.main(["convert", str(file), str(own)]) == 0
    assert cli.main(["convert", str(own), str(back), "--to-published"]) == 0
    assert torch.load(back, weights_only=True)["arch"] == "mscale.DeepV3W38Fuse"
    assert load_model(back).builder_arguments == load_model(own).builder_arguments
    other, again = _write(tmp_path, PLAIN), tmp_path / "again.pth"
    assert cli.main(["convert", str(other), str(own)]) == 0
    assert cli.main(["convert", str(own), str(again), "--to-published"]) == 0
    assert list(torch.load(again, weights_only=True)) == ["state_dict"]


def test_a_network_that_pools_a_window_is_of_no_publication(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from hierseg.checkpoint.save import save_checkpoint
    from hierseg.labels import CITYSCAPES
    from hierseg.models.registry import create_model

    for pool, status in ((None, 0), (5, 1)):
        network = create_model("deeper-wrn38", width=4, shallow=True, aspp_pool=pool)
        save_checkpoint(tmp_path / "own.safetensors", network, CITYSCAPES)
        words = ["convert", str(tmp_path / "own.safetensors"), str(tmp_path / f"{pool}.pth")]
        assert cli.main([*words, "--to-published"]) == status
    assert "no publication is like it" in capsys.readouterr().err
