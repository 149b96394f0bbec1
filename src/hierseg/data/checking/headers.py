"""What the first and the last bytes of an image file say, without decoding it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO, NamedTuple

from hierseg.data.archive import open_dataset_file
from hierseg.data.opening import open_header
from hierseg.data.reading import DataError, is_turned_by_exif, read_dataset_image, read_orientation
from hierseg.size import SMALLEST_SIDE, Size

TAIL = 4096
"""Bytes at a file's end that are looked at."""
TURNED_SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations that swap height and width."""


class Header(NamedTuple):
    """An image file's header.

    Attributes:
        size: Of the image as it is read: turned as EXIF says.
        turned: Whether EXIF turns or mirrors it.
    """

    size: Size
    turned: bool


def read_image_header(path: Path) -> Header:
    """Size and orientation of an image, a file or a member of an archive.

    Raises:
        DataError: As ``read_dataset_image``, but damage between the file's two ends is not noticed.
    """
    try:
        with open_dataset_file(path) as file, open_header(file, path) as picture:
            size, kind = Size(picture.height, picture.width), picture.format
            # getexif would decode a whole PNG in search of a chunk behind the pixels, where none
            # of the usual programs put it.
            has_exif = kind != "PNG" or "exif" in picture.info
            orientation = read_orientation(picture) if has_exif else 1
            is_whole = _ends_well(file, kind)
    except Exception:  # whatever the damage leads to
        is_whole = False
    if not is_whole:
        # Rare: what has something behind its end, or is not whole, which the decoder then says.
        image = read_dataset_image(path)
        return Header(Size(*image.shape[:2]), is_turned_by_exif(path))
    if orientation in TURNED_SIDEWAYS:
        size = Size(size.width, size.height)
    return Header(size, orientation > 1)


def check_pair(image: Path, label: Path | None, label_size: Size) -> None:
    """DataError naming both files where an image is not of its label map's size."""
    header = read_image_header(image)
    if header.size != label_size:
        raise DataError(describe_mismatch(image, header, label, label_size))


def describe_small(image: Path | str, size: Size) -> str:
    """The sentence about an image that no network takes whole."""
    return (
        f"'{image}' is run at {size}, and a network takes {SMALLEST_SIDE} pixels a side or more; "
        "remove it, or run it larger."
    )


def describe_mismatch(image: Path, header: Header, label: Path | None, label_size: Size) -> str:
    """The sentence about an image and a label map that differ in size."""
    why = " (EXIF turns the image)" if header.turned else ""
    return (
        f"'{image}' is {header.size}{why} but its label map '{label}' is {label_size}; "
        "give both the same size."
    )


def _ends_well(file: BinaryIO, kind: str | None) -> bool:
    length = file.seek(0, io.SEEK_END)
    file.seek(max(0, length - TAIL))
    tail = file.read()
    if kind == "PNG":
        return tail[-8:-4] == b"IEND" and b"eXIf" not in tail
    return kind == "JPEG" and tail.endswith(b"\xff\xd9")
