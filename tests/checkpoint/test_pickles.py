"""Pickles that would exhaust, hang or crash a reader end at once, with a sentence."""

from __future__ import annotations

import io
import pickle
import time
import tracemalloc
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from hierseg import cli
from hierseg.checkpoint.foreign.reading import read_foreign
from hierseg.checkpoint.load import load_model
from hierseg.checkpoint.pickles import BoundedStream, PickleReader
from hierseg.checkpoint.stand_ins import CONTAINER_NAMES
from hierseg.errors import UserError
from support.hostile_pickles import (
    BODIES,
    FORMS,
    TENSORS,
    doubled,
    entry,
    tensor,
    text,
    write_bombs,
    write_hostile,
)

SECONDS, BYTES = 20, 100 << 20


def _refuse(path: Path) -> None:
    tracemalloc.start()
    begin = time.monotonic()
    with pytest.raises(UserError) as caught:
        read_foreign(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.monotonic() - begin < SECONDS
    assert most < BYTES
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", BODIES)
def test_hostile_pickles(
    kind: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _refuse(write_hostile(tmp_path, form, BODIES[kind]))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("form", ["zip", "legacy"])
@pytest.mark.parametrize("kind", TENSORS)
def test_tensors_that_cannot_be(kind: str, form: str, tmp_path: Path) -> None:
    body = entry(tensor(*TENSORS[kind], legacy=form == "legacy"))
    _refuse(write_hostile(tmp_path, form, body))


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_a_tensor_that_can_be_is_read(form: str, tmp_path: Path) -> None:
    body = entry(tensor(1, (3,), (1,), 4, legacy=form == "legacy"))
    path = write_hostile(tmp_path, form, body)
    assert read_foreign(path).tensors["a"].tolist() == [0, 0, 0]


def test_zip_files_that_lie(tmp_path: Path) -> None:
    for path in write_bombs(tmp_path):
        _refuse(path)


@pytest.mark.parametrize("form", FORMS)
def test_the_command_line_says_a_sentence(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_hostile(tmp_path, form, entry(b"N", doubled(10)))
    assert cli.main(["convert", str(path), str(tmp_path / "out.safetensors")]) == 1
    said = capsys.readouterr().err
    assert "a key of a dict that is a tuple; nothing was executed" in said
    with pytest.raises(UserError, match="a key of a dict that is a tuple"):
        load_model(path)


def _read(content: bytes) -> Any:
    stream = BoundedStream(io.BytesIO(content), len(content))
    return PickleReader(stream, CONTAINER_NAMES).load()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_contents_come_back(protocol: int) -> None:
    shared = {"x": [1, 2.5, None]}
    content = {
        "text": "é\n" * 300,
        "bytes": b"\x00\xff",
        0: (1, (2, (3,)), [True, False, []]),
        (1 << 47): 10**30,
        "twice": [shared, shared],
        "dict": {},
        "empty": (),
    }
    if protocol == 2:
        content.pop("bytes")  # which that protocol has only by a function
    assert _read(pickle.dumps(content, protocol)) == content


def test_containers_of_the_library_are_plain_ones() -> None:
    content = OrderedDict([("b", 1), ("a", 2)])
    assert list(_read(pickle.dumps(content, 2)).items()) == [("b", 1), ("a", 2)]
    # As Python 2 wrote them: pairs handed to the class.
    pairs = b"]]" + text("b") + b"aK\x01aa"
    assert _read(b"\x80\x02ccollections\nOrderedDict\n" + pairs + b"\x85R.") == {"b": 1}
    assert sorted(_read(pickle.dumps({3, 4}, 2))) == [3, 4]
