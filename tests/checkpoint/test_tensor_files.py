"""Safetensors files: sound ones as the library reads them, others by a sentence and cheaply."""

from __future__ import annotations

import json
import os
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from hierseg.checkpoint import tensor_files
from hierseg.checkpoint.format import read_header
from hierseg.checkpoint.load import load_model, open_weights
from hierseg.checkpoint.tensor_files import open_tensors
from hierseg.errors import UserError


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    return open_weights(path).tensors


def write_file(path: Path, described: Any, content: bytes = b"") -> Path:
    header = described if isinstance(described, bytes) else json.dumps(described).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + content)
    return path


def metadata_of(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        found: dict[str, Any] = json.loads(file.metadata()["hierseg"])
    return found


def test_as_the_library_reads_them(tmp_path: Path) -> None:
    tensors = {
        "b": torch.rand(2, 3),
        "a": torch.tensor(7),
        "half": torch.rand(3).half(),
        "brain": torch.rand(2).bfloat16(),
        "empty": torch.empty(0, 2),
        "bytes": torch.arange(5, dtype=torch.uint8),
        "truth": torch.tensor([True, False]),
    }
    path = tmp_path / "a.safetensors"
    save_file(tensors, path, metadata={"x": "y"})
    opened = open_tensors(path)
    assert opened.metadata == {"x": "y"}
    found, expected = opened.read(), load_file(path)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def _tensor(**changes: Any) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}


@pytest.mark.parametrize(
    ("described", "content"),
    [
        ({"a": _tensor()}, b"1234567"),
        ({"a": _tensor()}, b"123456789"),
        ({"a": _tensor(shape=[3])}, bytes(8)),
        ({"a": _tensor(shape=[-2])}, bytes(8)),
        ({"a": _tensor(shape=[2.0])}, bytes(8)),
        ({"a": _tensor(shape=[True, 2])}, bytes(8)),
        ({"a": _tensor(shape=[0, 1 << 59, 1 << 59], data_offsets=[0, 0])}, b""),
        ({"a": _tensor(shape=[1] * 99 + [2])}, bytes(8)),
        ({"a": _tensor(shape=[1 << 40], data_offsets=[0, 1 << 42])}, bytes(8)),
        ({"a": _tensor(data_offsets=[8, 0])}, bytes(8)),
        ({"a": _tensor(data_offsets=[0])}, bytes(8)),
        ({"a": _tensor(dtype="C64")}, bytes(8)),
        ({"a": _tensor(dtype=["F32"])}, bytes(8)),
        ({"a": _tensor(), "b": _tensor()}, bytes(8)),
        ({"a": _tensor(data_offsets=[8, 16])}, bytes(16)),
        ({"a": 5}, b""),
        ({"__metadata__": {"a": 5}}, b""),
        ({"__metadata__": "a"}, b""),
        ([], b""),
        (b'{"a":' * 100_000, b""),
        (b"\xff\xfe{}", b""),
        (b'{"a": ' + b"9" * 100_000 + b"}", b""),
    ],
)
def test_headers_that_cannot_be(tmp_path: Path, described: Any, content: bytes) -> None:
    path = write_file(tmp_path / "a.safetensors", described, content)
    for read in (read_header, load_model, read_tensors):
        with pytest.raises(UserError, match=r"a\.safetensors is damaged or no hierseg checkpoint"):
            read(path)


def test_more_names_than_any_network_has(tmp_path: Path) -> None:
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    path = write_file(tmp_path / "a.safetensors", {f"layer{i}": empty for i in range(100_000)})
    with pytest.raises(UserError, match="has 100000 tensors, and no network has more than"):
        load_model(path)


@pytest.mark.parametrize(
    ("builder", "arguments"),
    [
        ("hrnet_ocr", {"width": 128, "mid_channels": 2048, "key_channels": 2048}),
        ("deeplab", {"trunk": "wrn38", "width": 128, "mid_channels": 2048}),
        pytest.param("timm_ocr", {"trunk": "vit_gigantic_patch14_224"}, marks=pytest.mark.slow),
    ],
)
def test_a_header_alone_asks_for_no_memory(
    builder: str, arguments: dict[str, Any], checkpoint: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from hierseg.checkpoint import load as module

    def fail(*_: object) -> None:
        raise AssertionError("the network is built although its tensors are not there")

    data = metadata_of(checkpoint) | {"builder": builder}
    data["arguments"] = {**arguments, "num_classes": 3}
    path = write_file(
        tmp_path / "small.safetensors", {"__metadata__": {"hierseg": json.dumps(data)}}
    )
    assert path.stat().st_size < 1500
    monkeypatch.setattr(module, "build_network", fail)
    begin = time.monotonic()
    with pytest.raises(UserError, match=r"does not fit its network: \d+ tensors are missing"):
        load_model(path)
    assert time.monotonic() - begin < 60


@pytest.mark.parametrize(
    "scales",
    [[1.0] + [2.0**-i for i in range(1, 20_000)], [1.0, 1e300], [1, 10**400], [True], ["1"]],
)
def test_scales_of_a_header_are_bounded(
    scales: list[Any], checkpoint: Path, tmp_path: Path
) -> None:
    data = metadata_of(checkpoint) | {"scales": scales}
    path = tmp_path / "scales.safetensors"
    save_file(load_file(checkpoint), path, metadata={"hierseg": json.dumps(data)})
    with pytest.raises(UserError, match=r"scales\.safetensors is damaged: .*scale"):
        read_header(path)
    data = metadata_of(checkpoint)
    data["arguments"]["train_scales"] = scales
    save_file(load_file(checkpoint), path, metadata={"hierseg": json.dumps(data)})
    with pytest.raises(UserError, match=r"scales\.safetensors cannot be loaded: .*scales"):
        load_model(path)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("head.classify.weight", torch.int64),
        ("head.classify.bias", torch.bool),
        ("trunk.stem1.norm.num_batches_tracked", torch.float32),
        ("trunk.stem1.norm.num_batches_tracked", torch.bool),
    ],
)
def test_numbers_of_another_kind_are_no_weights(
    name: str, dtype: torch.dtype, checkpoint: Path
) -> None:
    tensors = load_file(checkpoint)
    if name not in tensors:
        name = next(other for other in tensors if other.endswith("num_batches_tracked"))
    metadata = {"hierseg": json.dumps(metadata_of(checkpoint))}
    tensors[name] = tensors[name].to(dtype)
    save_file(tensors, checkpoint, metadata=metadata)
    said = rf"1 tensor is of another type \({name} {str(dtype).removeprefix('torch.')}\)"
    with pytest.raises(UserError, match=said):
        load_model(checkpoint)


def test_a_file_that_is_cut_short_while_it_is_read(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill, calls = tensor_files.fill, iter(range(1000))

    def cut(file: Any, content: torch.Tensor) -> None:
        if next(calls) == 3:
            os.truncate(checkpoint, 3000)
        fill(file, content)

    monkeypatch.setattr(tensor_files, "fill", cut)
    with pytest.raises(UserError, match=r"network\.safetensors is damaged"):
        load_model(checkpoint)


def test_no_memory_is_said(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    opened = open_tensors(checkpoint)
    monkeypatch.setattr(tensor_files.torch, "empty", fail)
    with pytest.raises(MemoryError):
        opened.read()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 5\n",
            "a Git LFS pointer",
        ),
        (b"\xef\xbb\xbf\n  <!DOCTYPE html>\n<html><body>Not found</body></html>", "a web page"),
        (b"<!-- saved --><HTML><body>", "a web page"),
        (b"<html>", "a web page"),
        (b"<?xml version='1.0'?><Error>AccessDenied</Error>", "an XML page"),
        (b"\x1f\x8b\x08\x00\x00", "a gzip archive"),
    ],
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".pdparams"])
def test_what_is_no_checkpoint_is_named(
    content: bytes, what: str, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from hierseg import cli

    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    for read in (load_model, read_header, read_tensors):
        with pytest.raises(UserError, match=rf"model{suffix} is {what}"):
            read(path)
    assert cli.main(["convert", str(path), str(tmp_path / "out.safetensors")]) == 1
    assert f"{path} is {what}" in capsys.readouterr().err


def test_a_pipe_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "pipe.safetensors"
    os.mkfifo(path)
    with pytest.raises(UserError, match="not a regular file"):
        open_tensors(path)
    with pytest.raises(UserError, match=r"there are no weights|no checkpoint at"):
        load_model(path)


def test_reading_needs_the_memory_of_the_tensors_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(1 << 22)}, path)
    tracemalloc.start()
    open_tensors(path).read()
    _, most = tracemalloc.get_traced_memory()  # of Python's own allocations
    tracemalloc.stop()
    assert most < 1 << 20
