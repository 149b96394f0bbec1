from __future__ import annotations

import io
import os
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from hierseg.flow import FlowError, read_flow, write_flow
from hierseg.size import Size


def _flow() -> np.ndarray:
    flow = np.random.default_rng(0).normal(0, 9, (5, 7, 2)).astype(np.float32)
    flow[1, 2] = np.nan
    return flow


@pytest.mark.parametrize("name", ["a.flo", "a.npz"])
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    write_flow(tmp_path / name, _flow())
    assert np.array_equal(read_flow(tmp_path / name, Size(5, 7)), _flow(), equal_nan=True)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with pytest.raises(FlowError, match="5x7, and the frames have 7x5"):
        read_flow(tmp_path / name, Size(7, 5))


def test_a_flo_file_is_as_middlebury_has_it(tmp_path: Path) -> None:
    path = tmp_path / "a.flo"
    values = [0.5, -1.0, 2e9, 2e9]
    path.write_bytes(struct.pack("<fii4f", 202021.25, 2, 1, *values))
    flow = read_flow(path)
    assert flow.shape == (1, 2, 2)
    assert flow[0, 0].tolist() == [0.5, -1.0]
    assert np.isnan(flow[0, 1]).all()
    write_flow(path, flow)
    assert path.read_bytes()[:20] == struct.pack("<fii2f", 202021.25, 2, 1, 0.5, -1.0)


def test_halves_and_columns_first_are_read(tmp_path: Path) -> None:
    flow = np.asfortranarray(np.arange(12).reshape(2, 3, 2).astype(np.float16))
    np.savez(tmp_path / "a.npz", flow=flow)
    read = read_flow(tmp_path / "a.npz")
    assert read.dtype == np.float32
    assert np.array_equal(read, flow)


def _as_npz(shape: str, descr: str = "<f4", content: bytes = b"") -> bytes:
    """An archive whose array says what it likes of itself."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (63 - (10 + len(text)) % 64) + b"\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "flow.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content
        )
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.flo", b"PIEH", "begin"),
        ("a.flo", b"\x00" * 40, "begin"),
        ("a.flo", struct.pack("<4sii", b"PIEH", 1 << 30, 1 << 30), "more than"),
        ("a.flo", struct.pack("<4sii", b"PIEH", -2, -2) + bytes(32), "shape"),
        ("a.flo", struct.pack("<4sii", b"PIEH", 2, 2) + bytes(31), "43 bytes"),
        ("a.flo", struct.pack("<4sii", b"PIEH", 2, 2) + bytes(33), "45 bytes"),
        ("a.npz", b"no archive", "whole"),
        ("a.npz", _as_npz("(100000, 100000, 2)"), "more than"),
        ("a.npz", _as_npz("(2, 2, 2)", content=bytes(31)), "too early"),
        ("a.npz", _as_npz("(2, 2)", content=bytes(16)), "shape"),
        ("a.npz", _as_npz("(-2, -2, 2)", content=bytes(32)), "shape"),
        ("a.npz", _as_npz("(2, 2, 2)", "|O", bytes(64)), "floating-point"),
        ("a.npz", _as_npz("(2, 2, 2)", "<i4", bytes(32)), "floating-point"),
        ("a.npz", _as_npz("'x'"), "whole"),
        ("a.npz", _as_npz("(2, 2, 2)", content=bytes(32))[:-30], "whole"),
    ],
)
def test_files_that_hold_no_flow_are_refused(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FlowError, match=said) as raised:
        read_flow(path)
    assert str(path) in str(raised.value)


def test_an_archive_without_the_array_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", other=np.zeros(3))
    os.mkfifo(tmp_path / "b.flo")
    (tmp_path / "c.npz").mkdir()
    for name, said in (("a.npz", "no array"), ("b.flo", "regular"), ("c.npz", "."), ("d", "such")):
        with pytest.raises(FlowError, match=said):
            read_flow(tmp_path / name)


def test_a_damaged_stream_is_refused(tmp_path: Path) -> None:
    content = bytearray(_as_npz("(2, 2, 2)", content=bytes(range(32))))
    for place in range(30, len(content)):
        broken = content.copy()
        broken[place] ^= 0x5A
        (tmp_path / "a.npz").write_bytes(broken)
        with suppress(FlowError):
            read_flow(tmp_path / "a.npz")
