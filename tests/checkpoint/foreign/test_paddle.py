"""Paddle's files: read without running anything, to the numbers that numpy itself would give."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hierseg.checkpoint.foreign.paddle import PARAMETER_NAMES, read_paddle, write_paddle
from hierseg.checkpoint.pickles import RefusedError

ARRAYS: dict[str, Any] = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "transposed": np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)),
    "big endian": np.arange(3, dtype=">f4"),
    "scalar": np.array(7, np.int64),
    "flags": np.array([True, False]),
}


def _check(content: bytes) -> None:
    tensors, names = read_paddle(io.BytesIO(content))
    assert names == {"a": "conv2d_0.w_0"}
    assert list(tensors) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert tensors[name].shape == array.shape
        assert np.array_equal(tensors[name].numpy(), array), name
        assert tensors[name].numpy().dtype == array.dtype.newbyteorder("="), name


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_protocols_and_both_names_of_numpy(protocol: int) -> None:
    content = pickle.dumps({**ARRAYS, PARAMETER_NAMES: {"a": "conv2d_0.w_0"}}, protocol)
    _check(content)
    # numpy 1 had one letter less; only where no length stands before the name.
    if protocol == 2:
        other = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        assert other != content
        _check(other)


def test_the_published_form(parity_dir: Path, tmp_path: Path) -> None:
    path = parity_dir / "format.pdparams"
    expected = pickle.loads(path.read_bytes())
    with path.open("rb") as file:
        tensors, names = read_paddle(file)
    assert names == expected.pop(PARAMETER_NAMES)
    assert len(names) == len(expected) == 5
    for name, array in expected.items():
        assert np.array_equal(tensors[name].numpy(), array)
    write_paddle(tmp_path / "back.pdparams", tensors, names)
    assert (tmp_path / "back.pdparams").read_bytes() == path.read_bytes()


def test_a_lying_array_is_refused() -> None:
    content = pickle.dumps({"a": np.zeros(3, np.float32)}, 4)
    for found, other in (
        (b"K\x03\x85", b"K\x04\x85"),
        (b"f4", b"f8"),
        (b"\x8c\x01<", b"\x8c\x01!"),
    ):
        assert found in content
        with pytest.raises(RefusedError):
            read_paddle(io.BytesIO(content.replace(found, other)))


def test_nothing_of_the_reader_can_be_changed_by_a_file() -> None:
    # BUILD upon the function that makes arrays: a state for it, instead of a call of it.
    crafted = b"\x80\x02cnumpy._core.multiarray\n_reconstruct\n}X\x01\x00\x00\x00aK\x01sb."
    with pytest.raises(RefusedError, match="a state for a function"):
        read_paddle(io.BytesIO(crafted))
    assert torch.equal(
        read_paddle(io.BytesIO(pickle.dumps({"a": np.ones(2)})))[0]["a"], torch.ones(2).double()
    )
