"""The one place where Pillow opens a file: which formats are read, and what is removed first.

Pillow does not get to see: formats in which nobody stores street scenes (PostScript would start a
program); texts and colour profiles of PNG, which are not used and may be of any length; and headers
that it would read for minutes.
"""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL import Image, ImageFile, ImagePalette, UnidentifiedImageError

from hierseg.data.endings import HEAD, RAW, explain_unreadable, is_heif

# A file of several pictures (MPO), as phones write, is opened as JPEG and then known as MPO.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")
HEIF = "HEIF"
MOST_PARTS = 100_000
"""Segments of a JPEG before its picture, or chunks of a PNG: files have tens, or thousands."""
BLOCK = 1 << 16
"""Bytes that are read first for a header, and in which a netpbm must have said its size."""
DNG_VERSION = 50706  # a tag of TIFF
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt", b"iCCP"})
_MARKER = re.compile(rb"\xff[^\xff\0]")
_NETPBM = re.compile(rb"P[1-6][\s#]")
_NETPBM_SIZE = re.compile(rb"P[1-6](?:\s|#[^\n\r]*[\n\r])+\d+(?:\s|#[^\n\r]*[\n\r])+\d+\s")


class UnsupportedError(ValueError):
    """A file of a kind that is not read; ``str(error)`` goes behind "is", and has the cure."""


def open_picture(data: bytes, path: Path | None = None) -> Image.Image:
    """A whole file as a Pillow image that is not decoded yet.

    Args:
        data: The file's content.
        path: Its name, by which some kinds of files are recognised.

    Raises:
        UnsupportedError: It is of a known kind that is not read here.
        Exception: Pillow cannot open it; whatever Pillow raises.
    """
    if data.startswith(_PNG):
        kept = _drop_texts(data)
    elif data.startswith(_JPEG):
        kept = _drop_fill(data)
    else:
        kept = data
        _require_netpbm_size(data)
    return _open(io.BytesIO(kept), data[:HEAD], path)


def open_header(file: BinaryIO, path: Path | None = None) -> Image.Image:
    """The header of a file, as a Pillow image whose pixels must not be read.

    Args:
        file: The file; keep it open while you use the image.
        path: As in ``open_picture``.

    Raises:
        UnsupportedError: As in ``open_picture``, like all other errors.
    """
    head = file.read(HEAD)
    if head.startswith(_PNG):
        return _open(io.BytesIO(_drop_texts(_read_until(file, _has_picture))), head, path)
    if head.startswith(_JPEG):
        start = _drop_fill(_read_until(file, lambda data: find_scan(data) < len(data)))
        return _open(io.BytesIO(start), head, path)
    if _NETPBM.match(head):
        _require_netpbm_size(_read_until(file, lambda data: len(data) >= BLOCK))
    return _open(file, head, path)


def find_scan(data: bytes) -> int:
    """Where a JPEG's first scan begins; its length where there is none.

    Behind it FF D9 is the picture's end: thumbnails in segments before it, and what phones append
    to the file, have starts and ends of their own.
    """
    return _list_segments(data)[1]


def _open(file: BinaryIO, head: bytes, path: Path | None) -> Image.Image:
    if reason := explain_unreadable(path, head):
        raise UnsupportedError(reason)
    formats = list(_list_formats())
    if is_heif(head):
        _register_heif()
        formats.append(HEIF)
    file.seek(0)
    picture = Image.open(file, formats=formats)
    if DNG_VERSION in getattr(picture, "tag_v2", ()):
        raise UnsupportedError(RAW)
    # EXIF alone decides how a picture is turned: of the decoders only Pillow uses XMP as well.
    for key in ("xmp", "XML:com.adobe.xmp"):
        picture.info.pop(key, None)
    if picture.format == "BMP":
        _mend_bitmap(picture, head)
    return picture


@cache
def _list_formats() -> tuple[str, ...]:
    """The formats that this Pillow has; older versions lack AVIF."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@cache
def _register_heif() -> None:
    try:
        heif = importlib.import_module("pillow_heif")
    except ImportError as error:
        raise UnsupportedError(
            'a HEIC picture, which needs an optional package: pip install "hierseg[heif]"'
        ) from error
    heif.register_heif_opener(thumbnails=False)


def _read_until(file: BinaryIO, is_enough: Callable[[bytes], bool]) -> bytes:
    """A file's beginning, read in blocks of growing size until it is enough, or the whole file."""
    size, data = BLOCK, b""
    while True:
        file.seek(0)
        data = file.read(size)
        if len(data) < size or is_enough(data):
            return data
        size *= 4


def _require_netpbm_size(data: bytes) -> None:
    """UnidentifiedImageError for a netpbm without a size; Pillow would read it byte by byte."""
    if _NETPBM.match(data) and not _NETPBM_SIZE.match(data[:BLOCK]):
        raise UnidentifiedImageError("no size at its start")


def _list_segments(data: bytes) -> tuple[list[tuple[int, int]], int]:
    """Where a JPEG's segments before its first scan begin and end, and where the scan begins.

    Fill bytes, and what else is between segments and decoders skip, belong to none.
    """
    segments: list[tuple[int, int]] = []
    place = len(_JPEG)
    while (found := _MARKER.search(data, place)) is not None:
        start, marker = found.start(), data[found.start() + 1]
        if marker == 0xDA:
            return segments, start
        if marker == 0xD9:
            break
        place = start + 2
        if not (marker == 0x01 or 0xD0 <= marker <= 0xD8):  # those have no length
            place += int.from_bytes(data[place : place + 2])
        segments.append((start, place))
        if len(segments) > MOST_PARTS:
            raise OSError("too many segments")
    return segments, len(data)


def _drop_fill(data: bytes) -> bytes:
    """A JPEG without what is between the segments before its first scan."""
    segments, scan = _list_segments(data)
    if sum(end - start for start, end in segments) + len(_JPEG) == scan:
        return data
    return b"".join([_JPEG, *(data[start:end] for start, end in segments), data[scan:]])


class _Chunk(NamedTuple):
    kind: bytes
    start: int
    end: int


def _list_chunks(data: bytes) -> Iterator[_Chunk]:
    place = len(_PNG)
    for _ in range(MOST_PARTS):
        if place >= len(data):
            return
        end = place + 12 + int.from_bytes(data[place : place + 4])
        yield _Chunk(data[place + 4 : place + 8], place, end)
        place = end
    raise OSError("too many chunks")


def _has_picture(data: bytes) -> bool:
    return any(chunk.kind == b"IDAT" for chunk in _list_chunks(data))


def _drop_texts(data: bytes) -> bytes:
    """A PNG without its texts and its colour profile."""
    chunks = list(_list_chunks(data))
    if not any(chunk.kind in _TEXTS for chunk in chunks):
        return data
    kept = [data[chunk.start : chunk.end] for chunk in chunks if chunk.kind not in _TEXTS]
    return b"".join([_PNG, *kept])


def _mend_bitmap(picture: Image.Image, head: bytes) -> None:
    """Make Pillow unpack a BMP with a palette of plain greys by the bits of its samples."""
    bits = int.from_bytes(head[24:26] if head[14] == 12 else head[28:30], "little")
    greys = {"1": [0, 255], "L": list(range(256))}.get(picture.mode, [])
    if not greys or (picture.mode, bits) in (("1", 1), ("L", 8)):
        return
    assert isinstance(picture, ImageFile.ImageFile)
    tile = picture.tile[0]
    if tile.codec_name != "raw" or not isinstance(tile.args, tuple):
        return  # what is run-length coded is unpacked by its own bits
    raw = "P" if bits == 8 else f"P;{bits}"
    picture.tile = [tile._replace(args=(raw, *tile.args[1:]))]
    picture._mode = "P"
    picture.palette = ImagePalette.raw("RGB", bytes(grey for grey in greys for _ in range(3)))
