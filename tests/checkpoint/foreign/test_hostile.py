"""Files that are damaged, of something else, or would run code: a sentence, and nothing more."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hierseg import cli
from hierseg.checkpoint.foreign.converting import read_form
from hierseg.checkpoint.foreign.fitting import fit_tensors
from hierseg.checkpoint.foreign.publishing import write_published
from hierseg.checkpoint.foreign.reading import Form
from hierseg.checkpoint.foreign.recognition import recognise
from hierseg.checkpoint.load import load_model
from hierseg.checkpoint.published.key_table import KeyTable
from hierseg.errors import UserError
from hierseg.models.registry import create_model
from support.published_files import (
    narrow_network,
    published_tensors,
    write_paddle_file,
    write_torch,
)


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    return published_tensors(narrow_network("vplr-wrn38"), "vplr-wrn38")


def _refuse(file: Path, capsys: pytest.CaptureFixture[str], *words: str) -> None:
    """Converting and loading end with one sentence with those words; nothing is written."""
    before = sorted(file.parent.iterdir())
    status = cli.main(["convert", str(file), str(file.parent / "out.safetensors")])
    said = capsys.readouterr()
    assert status in (1, 2)
    assert said.out == ""
    assert said.err.startswith("hierseg: ")
    assert said.err.count("\n") == 1
    assert said.err.endswith(".\n")
    for word in (file.name, *words):
        assert word in said.err, said.err
    assert sorted(file.parent.iterdir()) == before
    with pytest.raises(UserError):
        load_model(file)


class _Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("form", ["zip", "legacy", "paddle"])
def test_code_is_not_run(
    form: str, tensors: dict[str, Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    marker, file = tmp_path / "ran", tmp_path / "evil.pth"
    content = {**tensors, "evil": _Evil(marker)}
    if form == "paddle":
        file.write_bytes(pickle.dumps({"a": np.zeros(3), "evil": _Evil(marker)}))
    else:
        torch.save(content, file, _use_new_zipfile_serialization=form == "zip")
    _refuse(file, capsys, "mkdir", "nothing was executed")
    assert not marker.exists()
    if form == "paddle":  # The file would have run it, so that the test tests something.
        pickle.loads(file.read_bytes())
        assert marker.exists()


@pytest.mark.parametrize("form", ["zip", "legacy", "paddle"])
@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_truncated(
    form: str,
    share: float,
    tensors: dict[str, Tensor],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "cut.pth"
    if form == "paddle":
        write_paddle_file(file, tensors)
    else:
        write_torch(file, tensors, legacy=form == "legacy")
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    _refuse(file, capsys, "damaged")


def test_one_tensor_missing(
    tensors: dict[str, Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("aspp.features.1.0.weight", "mod4.block1.convs.bn2.0.bias", "final.6.weight"):
        rest = {key: value for key, value in tensors.items() if key != name}
        file = write_torch(tmp_path / "less.pth", rest)
        _refuse(file, capsys, f"1 tensor is missing ({name})")


@pytest.mark.parametrize("name", ["mod1.conv1.weight", "bot_fine.weight", "bot_aspp.weight"])
def test_at_published_widths_any_tensor_may_be_wrong(name: str) -> None:
    """Also those that the widths of other networks are told by."""
    with torch.device("meta"):
        network = create_model("vplr-wrn38")
    whole = published_tensors(network, "vplr-wrn38")
    rest = {key: value for key, value in whole.items() if key != name}
    found = recognise(rest, "a.pth")
    with pytest.raises(UserError, match=rf"network: 1 tensor is missing \({name}\)\.$"):
        fit_tensors(rest, found.table, found.shapes, "a.pth")
    other = whole | {name: torch.zeros(3, 3)}
    found = recognise(other, "a.pth")
    with pytest.raises(UserError, match=rf"1 tensor is of another shape \({name} 3x3 for"):
        fit_tensors(other, found.table, found.shapes, "a.pth")


def test_ten_of_many_and_a_count(
    tensors: dict[str, Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = [name for name in tensors if name.startswith("aspp.")]
    rest = {name: tensor for name, tensor in tensors.items() if name not in gone}
    rest["scheduler.gamma"] = torch.zeros(1)
    file = write_torch(tmp_path / "less.pth", rest)
    status = cli.main(["convert", str(file), str(tmp_path / "out.safetensors")])
    said = capsys.readouterr().err
    assert status == 1
    assert f"{len(gone)} tensors are missing" in said
    assert sum(f"{name}," in said for name in gone) == 10
    assert "1 tensor is unknown (scheduler.gamma)" in said


def test_another_shape(
    tensors: dict[str, Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, shape, right in (
        ("mod3.block1.convs.conv1.weight", (9, 8, 3, 3), "16x8x3x3"),
        ("aspp.features.1.1.bias", (9,), "9 for 8"),
    ):
        changed = {**tensors, name: torch.zeros(shape)}
        file = write_torch(tmp_path / "other.pth", changed)
        _refuse(file, capsys, "of another shape", "x".join(map(str, shape)), right)


def test_another_class_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tensors = published_tensors(narrow_network("vplr-wrn38", 7), "vplr-wrn38")
    _refuse(write_torch(tmp_path / "seven.pth", tensors), capsys, "7 classes", "--labels")


@pytest.mark.parametrize(
    "value",
    [
        np.array([{"a": 1}, None], dtype=object),
        np.array(["text"]),
        np.zeros(2, dtype=[("a", "f4")]),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        [1.0, 2.0],
        3,
    ],
    ids=["objects", "text", "fields", "dates", "list", "number"],
)
def test_paddle_files_hold_arrays_of_numbers_alone(
    value: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "model.pdparams"
    file.write_bytes(pickle.dumps({"a": np.zeros(3, np.float32), "b": value}, protocol=4))
    _refuse(file, capsys, "nothing was executed")


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"\x80", b"\x80\x04.", b"text\n", b"\0" * 99]
)
def test_files_of_nothing(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "nothing.pth"
    file.write_bytes(content)
    _refuse(file, capsys)


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": 3}, {"a": 1}, torch.zeros(3), {}])
def test_other_contents(content: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "other.pth"
    torch.save(content, file)
    _refuse(file, capsys)


def test_another_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "line.pth"
    torch.save(torch.nn.Linear(3, 4).state_dict(), file)
    _refuse(file, capsys, "holds no published network")


def test_a_file_that_was_there_stays_when_conversion_fails(
    tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    out = tmp_path / "out.safetensors"
    out.write_text("old")
    file = write_torch(tmp_path / "a.pth", {**tensors, "extra": torch.zeros(1)})
    assert cli.main(["convert", str(file), str(out), "--overwrite"]) == 1
    assert out.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2


def test_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["a.pth", "b.safetensors"], "there is no file a.pth"),
        (["a.pth", "b.pth"], "not named *.safetensors"),
        (["a.safetensors", "b.safetensors", "--to-published"], "name it *.pth"),
        (["a.pth", "b.pth", "--to-published", "--model", "x"], "leave --model and --labels out"),
    ):
        assert cli.main(["convert", *words]) == 2
        assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [{"prefix": 5}, {"nested": "yes"}, {"parameter_names": []}, {"unknown": 1}]
)
def test_a_form_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    assert read_form({"publication": "x", "prefix": "a."}) == ("x", Form(prefix="a."))
    with pytest.raises(TypeError):
        read_form({"publication": "x", **wrong})


def test_a_number_without_end_in_a_name_is_no_layer() -> None:
    table = KeyTable([("a{x}.b", "c{x}.d")])
    assert table.to_own("a12.b.weight") == "c12.d.weight"
    assert table.to_own(f"a{'9' * 5000}.b.weight") is None


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("unexpected pos 768 vs 662")

    monkeypatch.setattr(torch, "save", fail)
    network = narrow_network("vplr-wrn38")
    with pytest.raises(UserError, match=r"out\.pth cannot be written \(unexpected pos"):
        write_published(tmp_path / "out.pth", network.state_dict(), "vplr-wrn38", Form(), "it")
    assert not list(tmp_path.iterdir())
