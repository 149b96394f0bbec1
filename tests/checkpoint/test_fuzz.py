"""Files that are damaged by lot, with a fixed budget: tensors or a sentence, and nothing else."""

from __future__ import annotations

import io
import json
import pickle
import random
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file

from hierseg.checkpoint.foreign.reading import read_foreign
from hierseg.checkpoint.format import read_header
from hierseg.checkpoint.load import load_model
from hierseg.errors import UserError
from hierseg.options import check_scales
from hierseg.training.checkpoints import Checkpoints
from support.hostile_pickles import (
    BODIES,
    FORMS,
    TENSORS,
    entry,
    tensor,
    write_bombs,
    write_hostile,
)

pytestmark = pytest.mark.slow
quiet = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from([10**400, 1e999, float("nan"), -1, 1 << 62, "F32", [0, 8], [2]]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)  # fmt: skip


def _is_held(read: Callable[[Path], Any], path: Path) -> None:
    """Reading ends with a value or a sentence that names the file."""
    assert str(path) in _said(read, path, str(path))


def _said(read: Callable[[Any], Any], given: Any, otherwise: str) -> str:
    """The sentence that reading ends with, or another text where it ends with a value."""
    try:
        read(given)
    except UserError as error:
        return str(error)
    return otherwise


def damage(content: bytes, draw: random.Random) -> bytes:
    """A file with bytes changed, taken out, doubled, or cut off."""
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 5, 20))):
        place = draw.randrange(len(changed)) if changed else 0
        kind = draw.randrange(4)
        if kind == 0 and changed:
            changed[place] = draw.choice((0, 255, draw.randrange(256)))
        elif kind == 1:
            del changed[place : place + draw.randrange(1, 9)]
        elif kind == 2:
            changed[place:place] = changed[place : place + draw.randrange(1, 40)]
        elif draw.random() < 0.1:
            del changed[place:]
    return bytes(changed)


def write_sound_pickle(path: Path, kind: str) -> bytes:
    """A small checkpoint of a kind; its bytes."""
    layer = torch.nn.BatchNorm2d(3)
    optimiser = torch.optim.AdamW(layer.parameters())
    layer(torch.rand(2, 3, 4, 4)).sum().backward()
    optimiser.step()
    content = {"format_version": 1, "state_dict": layer.state_dict(), "o": optimiser.state_dict()}
    if kind == "paddle":
        arrays = {name: value.numpy() for name, value in layer.state_dict().items()}
        path.write_bytes(pickle.dumps(arrays, 4))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind != "legacy")
    return path.read_bytes()


def damage_checkpoint(content: bytes, kind: str, draw: random.Random) -> bytes:
    """As ``damage``; a zip file's pickle is found in a sound archive."""
    if kind == "legacy" or kind == "paddle" or draw.random() < 0.3:
        return damage(content, draw)
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            part = old.read(name)
            new.writestr(name, damage(part, draw) if name.endswith("data.pkl") else part)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["zip", "legacy", "paddle", "state"])
def test_damaged_pickles(kind: str, tmp_path: Path) -> None:
    path = tmp_path / ("last.state.pt" if kind == "state" else "a.pth")
    sound = write_sound_pickle(path, kind)
    draw = random.Random(7)
    for _ in range(1500):
        path.write_bytes(damage_checkpoint(sound, kind, draw))
        if kind == "state":
            checkpoints = Checkpoints(tmp_path / "states", 2, path, lambda _: None)
            otherwise = "--runtime.out"
            assert otherwise in _said(lambda _, own=checkpoints: own.read(), path, otherwise)
        else:
            _is_held(read_foreign, path)


@settings(quiet, max_examples=1500)
@given(
    parts=st.lists(
        st.sampled_from(
            [b"}", b"]", b")", b"(", b"s", b"u", b"a", b"e", b"t", b"\x85", b"\x86", b"\x87", b"N",
             b"q\x00", b"q\x01", b"h\x00", b"h\x01", b"\x94", b"R", b"b", b"Q", b"K\x05", b"\x88",
             b"\x8c\x01a", b"X\x01\x00\x00\x00b", b"C\x02xy", b"\x8a\x01\x02", b"\x81", b"\x93",
             b"ccollections\nOrderedDict\n", b"ctorch._utils\n_rebuild_tensor_v2\n",
             b"ctorch\nFloatStorage\n", b"c_codecs\nencode\n", b"cnumpy\ndtype\n",
             b"cnumpy\nndarray\n", b"cnumpy._core.multiarray\n_reconstruct\n"]
        ),
        max_size=30,
    ),
    form=st.sampled_from(FORMS),
)  # fmt: skip
def test_instructions_by_lot(
    parts: list[bytes], form: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    _is_held(read_foreign, write_hostile(folder, form, b"".join(parts)))


def test_damaged_safetensors(checkpoint: Path) -> None:
    sound = checkpoint.read_bytes()
    (length,) = struct.unpack("<Q", sound[:8])
    draw = random.Random(7)
    for _ in range(300):
        header = damage(sound[8 : 8 + length], draw)
        stated = len(header) if draw.random() < 0.8 else draw.randrange(1 << 63)
        checkpoint.write_bytes(struct.pack("<Q", stated) + header + sound[8 + length :])
        _is_held(load_model, checkpoint)


@settings(quiet, max_examples=400)
@given(name=st.sampled_from(["dtype", "shape", "data_offsets"]), value=JSON)
def test_descriptions_of_tensors(name: str, value: Any, tmp_path: Path) -> None:
    described = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], name: value}}
    header = json.dumps(described).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    _is_held(read_header, path)


@settings(quiet, max_examples=150)
@given(
    name=st.sampled_from(
        ["width", "num_classes", "mid_channels", "hierarchical", "scales", "train_scales", "mean"]
    ),
    value=JSON,
)
def test_arguments_of_builders(name: str, value: Any, checkpoint: Path) -> None:
    with safe_open(checkpoint, framework="pt") as file:
        data = json.loads(file.metadata()["hierseg"])
    data["arguments"] = {**data["arguments"], name: value}
    described: dict[str, Any] = {"__metadata__": {"hierseg": json.dumps(data)}}
    place = 0
    for key, value_ in load_file(checkpoint).items():
        size = value_.numel() * value_.element_size()
        kind = "I64" if value_.dtype == torch.int64 else "F32"
        described[key] = {
            "dtype": kind, "shape": list(value_.shape), "data_offsets": [place, place + size]
        }  # fmt: skip
        place += size
    header = json.dumps(described).encode()
    path = checkpoint.parent / "other.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(place))
    _is_held(load_model, path)


@settings(quiet, max_examples=2000)
@given(scales=JSON | st.lists(st.floats() | st.integers(), max_size=40))
def test_scales(scales: Any) -> None:
    assert len(_said(_check, scales, "")) < 600


def _check(scales: Any) -> None:
    checked = check_scales(scales)
    assert 1 <= len(checked) <= 16
    assert all(0 < scale <= 8 for scale in checked)


_TRIAL = """
import json, resource, sys, time
from pathlib import Path
from hierseg.checkpoint import load_model
from hierseg.errors import UserError
worst, held, tried, fit = 0.0, 0, 0, 0
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sorted(Path(sys.argv[1]).iterdir()):
    begin = time.process_time()
    tried += 1
    try:
        load_model(path)
        fit += 1
    except UserError as error:
        held += str(path) in str(error)
    worst = max(worst, time.process_time() - begin)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([tried, held + fit, worst, (after - before) / 1024]))
"""


def write_all(folder: Path) -> None:
    """A few hundred hostile checkpoints."""
    folder.mkdir()
    for form in FORMS:
        for number, body in enumerate(BODIES.values()):
            write_hostile(folder, form, body, f"body-{number}-{form}")
    for form in ("zip", "legacy"):
        for number, values in enumerate(TENSORS.values()):
            body = entry(tensor(*values, legacy=form == "legacy"))
            write_hostile(folder, form, body, f"tensor-{number}-{form}")
    write_bombs(folder)
    draw = random.Random(1)
    for kind in FORMS:
        sound = write_sound_pickle(folder.parent / "sound", kind)
        for number in range(80):
            content = damage_checkpoint(sound, kind, draw)
            (folder / f"damaged-{number}-{kind}.pth").write_bytes(content)


def test_hundreds_of_hostile_checkpoints_in_one_process(tmp_path: Path) -> None:
    write_all(tmp_path / "hostile")
    command = [sys.executable, "-P", "-c", _TRIAL, str(tmp_path / "hostile")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    tried, held, worst, megabytes = json.loads(done.stdout)
    print(f"tried {tried}, held {held}, {worst:.2f} s at most, {megabytes:.0f} MB more")
    assert tried > 350
    assert held == tried
    assert worst < 30
    assert megabytes < 800
    assert not (tmp_path / "ran").exists()
