"""Reads a user's images as training does, or refuses them with a reason."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from hierseg.data import (
    DataError,
    DepthError,
    UnsupportedError,
    as_rgb,
    decode_dataset_image,
    get_status,
    open_dataset_file,
    open_header,
    read_dataset_image,
)
from hierseg.errors import UserError, name_settings
from hierseg.size import SMALLEST_SIDE

MAX_PIXELS = 100_000_000
"""Most pixels of an image, unless ``max_pixels`` says otherwise."""


class UnreadableImageError(UserError):
    """An image that cannot be segmented.

    Attributes:
        reason: Why, without the file's name.
    """

    def __init__(self, path: Path | None, reason: str) -> None:
        self.reason = name_settings(reason)
        super().__init__(f"{path or 'the image'}: {reason}.")


def read_image(path: Path, max_pixels: int = MAX_PIXELS) -> npt.NDArray[np.uint8]:
    """Read an image file as (H, W, 3) uint8 RGB, upright; of several frames the first.

    Raises:
        UnreadableImageError: The file is missing, empty, truncated, not an image, a broken link or
            not readable, or the image has more than ``max_pixels``, a side under 32 pixels, or
            32-bit or floating-point values.
    """
    path = Path(path)
    with _naming(path):
        if get_status(path).size == 0:
            raise UnreadableImageError(path, "the file is empty")
        with (
            open_dataset_file(path) as file,
            open_header(file, path) as image,
        ):  # the header alone, to check the size before memory is allocated
            check_size(image.height, image.width, max_pixels, path)
        return read_dataset_image(path)


def decode_image(data: bytes, max_pixels: int = MAX_PIXELS) -> npt.NDArray[np.uint8]:
    """Decode the bytes of an image file; result and errors as of ``read_image``."""
    with _naming(None):
        if not data:
            raise UnreadableImageError(None, "no bytes are given")
        with open_header(io.BytesIO(data)) as image:
            check_size(image.height, image.width, max_pixels)
        return decode_dataset_image(data, Path("bytes"))


@contextmanager
def _naming(path: Path | None) -> Iterator[None]:
    """Turn whatever reading raises into an UnreadableImageError."""
    try:
        yield
    except UnreadableImageError:
        raise
    except DataError as error:
        raise UnreadableImageError(path, _reason(path, error.__cause__ or error)) from error
    except Exception as error:  # damaged files make Pillow's decoders raise anything
        raise UnreadableImageError(path, _reason(path, error)) from error


def convert_image(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Convert a Pillow image to (H, W, 3) uint8 RGB, upright; UnreadableImageError if it is
    damaged.
    """
    try:
        return np.array(as_rgb(ImageOps.exif_transpose(image), image.format))
    except Exception as error:  # Pillow may decode only now, and raise as for a file
        reason = str(error).strip(" .") or type(error).__name__
        raise UnreadableImageError(None, reason) from error


def check_size(
    height: int, width: int, max_pixels: int | None = None, path: Path | None = None
) -> None:
    """Raise UnreadableImageError for an image that is too large or too small."""
    if max_pixels is not None and width * height > max_pixels:
        raise UnreadableImageError(
            path, f"{width * height:,} pixels are more than --max-pixels {max_pixels:,}"
        )
    if min(width, height) < SMALLEST_SIDE:
        raise UnreadableImageError(
            path, f"{height}x{width} is smaller than {SMALLEST_SIDE}x{SMALLEST_SIDE} pixels"
        )


def _reason(path: Path | None, error: BaseException) -> str:
    if path is not None and path.is_symlink() and not path.exists():
        return "a link to a file that is not there"
    kinds: list[tuple[type[BaseException], str]] = [
        (FileNotFoundError, "there is no such file"),
        (PermissionError, "permission to read it is denied"),
        (IsADirectoryError, "a folder, not an image"),
        (UnidentifiedImageError, "not an image of a known format"),
        (Image.DecompressionBombError, f"more than the {MAX_PIXELS:,} pixels that are allowed"),
        (MemoryError, "too large for the memory of this machine"),
        (EOFError, "the file is truncated"),
    ]
    if isinstance(error, DepthError | UnsupportedError):
        return str(error)
    for kind, reason in kinds:
        if isinstance(error, kind):
            return reason
    if any(words in str(error).lower() for words in ("truncated", "has no end")):
        return "the file is truncated"
    return f"the file is damaged ({str(error).strip(' .') or type(error).__name__})"


@contextmanager
def pixels_counted_here() -> Iterator[None]:
    """A context that lifts Pillow's limit on pixels, since ``read_image`` has its own.

    Pillow's limit is global: do not enter the context in threads, but around all of them.
    """
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit
