"""Pictures and label maps from files, with errors that name the file."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from hierseg.data.archive import read_bytes
from hierseg.data.label_numbers import Palette, PaletteError, choose_ids, read_numbers
from hierseg.data.opening import UnsupportedError, find_scan, open_picture
from hierseg.errors import UserError

ORIENTATION = 0x0112  # the EXIF tag; 1 is upright
BITS_PER_SAMPLE = 258  # a tag of TIFF

UInt8Array = npt.NDArray[np.uint8]

SIXTEEN_BIT_FORMATS = ("PNG", "PPM")  # whose 16-bit pixels Pillow holds in 32, or once did


class DataError(UserError):
    """A file that cannot be used; its one sentence is kept when a loader's worker raises it.

    A worker process passes its exception on as ``type(error)(report)``, where the report is a whole
    traceback; the sentence is on its last line, after the name of this class.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.rstrip().rpartition(f"{type(self).__qualname__}: ")[2])


def read_dataset_image(path: Path) -> UInt8Array:
    """(H, W, 3) uint8 RGB, turned as EXIF says.

    Grey, palette, RGBA (alpha dropped), CMYK and 16-bit files are converted.

    Raises:
        DataError: The file is missing, not an image, damaged, or too large; the message names it.
    """
    return decode_dataset_image(_read_bytes(path), path)


def decode_dataset_image(data: bytes, path: Path) -> UInt8Array:
    """The content of an image file as ``read_dataset_image`` gives it.

    Args:
        data: All of the file.
        path: Its name, by which some kinds of files are recognised; errors name it.
    """
    with _naming(path), open_picture(data, path) as picture:
        _require_end(picture, data)
        if picture.mode == "RGB" and _is_plain(picture, data):
            decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            if decoded is not None and decoded.shape[:2] == (picture.height, picture.width):
                return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
        return np.array(as_rgb(ImageOps.exif_transpose(picture), picture.format))


def read_label_ids(
    path: Path,
    known: Collection[int] | None = None,
    palette: Palette | None = None,
    also: Collection[int] = (),
) -> npt.NDArray[Any]:
    """(H, W) ids as the file holds them, uint8 or uint16; of a palette of colours, the indices.

    Args:
        path: The label map.
        known: Ids that it may hold, which decide how a palette of greys is read, as in
            ``choose_ids``; None for any.
        palette: How to read a palette of greys; None decides by ``known``.
        also: Ids of the other numbering that it may hold, as in ``choose_ids``.

    Raises:
        DataError: The file is missing, not an image, damaged, too large, has more than one channel,
            or a palette of greys that can be read in two ways; the message names it.
    """
    data = _read_bytes(path)
    with _naming(path), open_picture(data, path) as picture:
        _require_end(picture, data)
        bits = _count_bits(picture, data)
        if picture.mode == "L" and bits == 8 and _is_plain(picture, data):
            decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
            if decoded is not None and decoded.shape == (picture.height, picture.width):
                return np.asarray(decoded)
        numbers = read_numbers(picture, bits)
    if numbers.stored.ndim != 2:
        raise DataError(
            f"'{path}' has {numbers.stored.shape[2]} channels; a label map has one, which holds "
            "class ids."
        )
    try:
        ids = choose_ids(numbers, known, palette, also)
    except PaletteError as error:
        raise DataError(f"'{path}' {error}.") from error
    if ids.dtype in (np.uint8, np.uint16):
        return ids
    if ids.min() < 0 or ids.max() > 65535 or ids.dtype.kind == "f":
        raise DataError(f"'{path}' holds values that are not class ids (0 to 65535).")
    return ids.astype(np.uint16)


def read_confidence(path: Path) -> npt.NDArray[Any]:
    """(H, W) grey values in 0..255, also from a palette; DataError as ``read_label_ids``."""
    return read_label_ids(path, palette="values")


def is_plain_label_map(data: bytes) -> bool:
    """Whether a file is a PNG of one 8-bit grey channel, which every program reads alike."""
    return data.startswith(b"\x89PNG") and data[24:26] == b"\x08\0"


def read_label_colors(path: Path) -> UInt8Array:
    """(H, W, 3) uint8 RGB of a label map that holds colours; DataError as ``read_label_ids``."""
    data = _read_bytes(path)
    with _naming(path), open_picture(data, path) as picture:
        _require_end(picture, data)
        return np.array(as_rgb(picture, picture.format))


def is_turned_by_exif(path: Path) -> bool:
    """Whether EXIF turns or mirrors an image that can be read."""
    data = _read_bytes(path)
    with _naming(path), open_picture(data, path) as picture:
        return read_orientation(picture) > 1


def read_orientation(picture: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 (upright) if EXIF is missing or damaged."""
    try:
        orientation = picture.getexif().get(ORIENTATION, 1)
    except Exception:  # whatever the damage leads to
        return 1
    return orientation if orientation in range(1, 9) else 1


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn exceptions of decoders, which may be of any kind, into a DataError."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        raise _explain(error, path) from error


def _read_bytes(path: Path) -> bytes:
    try:
        data = read_bytes(path)
    except OSError as error:
        raise DataError(f"'{path}' cannot be read ({error.strerror}).") from error
    if not data:
        raise DataError(f"'{path}' is empty; replace or remove it.")
    return data


def _is_plain(picture: Image.Image, data: bytes) -> bool:
    """Whether OpenCV, the faster decoder, gives the same pixels as Pillow, or none.

    A truncated PNG is left to Pillow, since libpng would print a message of its own; so is a PNG
    with EXIF, which OpenCV before 5 does not read there.
    """
    if picture.format == "PNG":
        return data[-8:-4] == b"IEND" and b"eXIf" not in data
    return picture.format == "JPEG"


def _count_bits(picture: Image.Image, data: bytes) -> int:
    """Bits of a sample in the file; Pillow's mode does not distinguish fewer than 8."""
    if picture.format == "PNG":
        return data[24]
    bits = getattr(picture, "tag_v2", {}).get(BITS_PER_SAMPLE, (8,))
    return int(bits[0])


def _require_end(picture: Image.Image, data: bytes) -> None:
    """OSError for a JPEG without an end, which decoders would silently fill with grey."""
    if picture.format in ("JPEG", "MPO") and data.find(b"\xff\xd9", find_scan(data)) < 0:
        raise OSError("the picture has no end")


class DepthError(ValueError):
    """Pixels of unknown range, which cannot be brought to 8 bits."""


def as_rgb(picture: Image.Image, kind: str | None = None) -> Image.Image:
    """Any picture as RGB: grey, palette, RGBA (alpha dropped), CMYK, 16-bit.

    Args:
        picture: The picture.
        kind: The format of its file; a picture that was turned no longer has it.

    Raises:
        DepthError: 32-bit or floating-point pixels.
    """
    if picture.mode.startswith(("I", "F")):  # more than 8 bits, which Pillow would cut off at 255
        # What is 16-bit follows from the kind of file, never from how bright this picture is.
        if not picture.mode.startswith("I;16") and kind not in SIXTEEN_BIT_FORMATS:
            raise DepthError(
                "32-bit or floating-point pixels, whose range is not known; save it with 8 or 16 "
                "bits"
            )
        values = np.asarray(picture, np.uint32) // 256
        picture = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    return picture.convert("RGB")


def _explain(error: Exception, path: Path) -> DataError:
    if isinstance(error, DepthError):
        return DataError(f"'{path}' has {error}.")
    if isinstance(error, UnsupportedError):
        return DataError(f"'{path}' is {error}.")
    if isinstance(error, MemoryError):
        return DataError(f"'{path}' needs more memory than there is; make it smaller.")
    if isinstance(error, Image.DecompressionBombError):
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        return DataError(
            f"'{path}' has more than {limit // 10**6} million pixels; make it smaller."
        )
    if isinstance(error, UnidentifiedImageError):
        return DataError(f"'{path}' is not an image of a known format; replace or remove it.")
    return DataError(f"'{path}' is damaged or cut short; replace or remove it.")
