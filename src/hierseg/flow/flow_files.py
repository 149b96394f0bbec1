"""Files of flow: Middlebury's ``.flo``, and ``.npz`` with one array ``flow``.

Nobody vouches for such files: what one says of its size is checked before room is made for it.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from hierseg.errors import MALFORMED, reason_of
from hierseg.files import replacing
from hierseg.flow.protocol import Flow, FlowError
from hierseg.size import Size

ENDINGS = (".npz", ".flo")
MOST_PIXELS = 100_000_000
"""As many as an image may have."""
UNKNOWN = 1e9
"""Larger numbers in a ``.flo`` mark what is not known."""
_FLO = b"PIEH"  # 202021.25 as a little-endian float
_FLO_HEADER = struct.Struct("<4sii")
_MEMBER = "flow.npy"
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_flow(path: Path, size: Size | None = None) -> Flow:
    """A flow as (H, W, 2) float32; NaN where it is not known.

    Args:
        path: A ``.flo`` or ``.npz`` file.
        size: That of the frames; without it any up to 100 million pixels is taken.

    Raises:
        FlowError: It cannot be read, is damaged, of another kind, or of another size.
    """
    try:
        # Not to wait where it is a pipe that nobody writes to.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise FlowError(f"{path} is no regular file, so it holds no flow.")
            if path.suffix.lower() == ".flo":
                flow = _read_flo(file, status.st_size, path, size)
            else:
                flow = _read_npz(file, path, size)
    except OSError as error:
        raise FlowError(f"{path} cannot be read: {reason_of(error)}.") from error
    with np.errstate(invalid="ignore"):
        flow[~(np.abs(flow) <= UNKNOWN)] = np.nan  # also what is NaN already
    return flow


def write_flow(path: Path, flow: Flow) -> None:
    """Write a flow so that the file is either complete or as it was: ``.flo`` where the name ends
    so, else ``.npz``, compressed.

    Args:
        path: The file; its folder must exist.
        flow: (H, W, 2); NaN where it is not known.

    Raises:
        OSError: It cannot be written.
    """
    with replacing(path) as part, part.open("wb") as file:
        if path.suffix.lower() == ".flo":
            known = np.nan_to_num(flow.astype("<f4"), nan=10 * UNKNOWN)
            file.write(_FLO_HEADER.pack(_FLO, flow.shape[1], flow.shape[0]) + known.tobytes())
        else:
            np.savez_compressed(file, flow=flow.astype(np.float32))


_BINARY = getattr(os, "O_BINARY", 0)  # Windows would change line endings


def _read_flo(file: BinaryIO, length: int, path: Path, size: Size | None) -> Flow:
    header = file.read(_FLO_HEADER.size)
    if len(header) < _FLO_HEADER.size or not header.startswith(_FLO):
        raise _damaged(path, "it does not begin as a .flo file does")
    _, width, height = _FLO_HEADER.unpack(header)
    _check_shape((height, width, 2), path, size)
    expected = height * width * 8
    if length != _FLO_HEADER.size + expected:
        raise _damaged(path, f"it has {length} bytes, and {height}x{width} needs another number")
    values = np.frombuffer(_read_exactly(file, expected, path), "<f4")
    return values.reshape(height, width, 2).astype(np.float32)


def _read_npz(file: BinaryIO, path: Path, size: Size | None) -> Flow:
    try:
        with zipfile.ZipFile(file) as archive, archive.open(_MEMBER) as member:
            if archive.getinfo(_MEMBER).compress_type not in _COMPRESSIONS:
                raise _damaged(path, "it is compressed in another way than numpy does")
            shape, by_column, dtype = _read_header(cast(BinaryIO, member))
            if dtype.kind != "f" or dtype.hasobject or dtype.itemsize > 8:
                raise _damaged(path, "its array is not of floating-point numbers")
            _check_shape(shape, path, size)
            count = shape[0] * shape[1] * 2 * dtype.itemsize
            content = _read_exactly(cast(BinaryIO, member), count, path)
    except FlowError:
        raise
    except KeyError as error:
        raise _damaged(path, "it has no array 'flow'") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, *MALFORMED) as error:
        raise _damaged(path, "it is no .npz file that is whole") from error
    values = np.frombuffer(content, dtype).reshape(shape, order="F" if by_column else "C")
    return np.ascontiguousarray(values.astype(np.float32))


def _read_header(member: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(member)
    return np.lib.format.read_array_header_2_0(member)


def _check_shape(shape: tuple[int, ...], path: Path, size: Size | None) -> None:
    if len(shape) != 3 or shape[2] != 2 or min(shape) < 1:
        raise _damaged(path, "its shape is not (height, width, 2)")
    if size is not None and shape[:2] != (size.height, size.width):
        raise FlowError(
            f"{path} holds a flow of {shape[0]}x{shape[1]}, and the frames have {size}; compute "
            "it for frames of this size."
        )
    if shape[0] * shape[1] > MOST_PIXELS:
        raise _damaged(path, f"it states {shape[0]}x{shape[1]} pixels, more than are taken")


def _read_exactly(file: BinaryIO, count: int, path: Path) -> bytes:
    content = file.read(count)
    if len(content) != count:
        raise _damaged(path, "it ends too early")
    return content


def _damaged(path: Path, reason: str) -> FlowError:
    return FlowError(f"{path} is damaged or holds no flow: {reason}; write it anew.")
