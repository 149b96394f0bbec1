"""Converts all kinds of images to the one form that a predictor runs: (H, W, 3) uint8 RGB."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

from hierseg.errors import UsageError, UserError
from hierseg.media import check_size, convert_image, decode_image, expand_user, read_image

ImageLike = npt.NDArray[Any] | Tensor | Image.Image | bytes | str | os.PathLike[str]
"""A path, a ``file://`` URL, the bytes of an image file, a Pillow image, an array or a tensor."""
Pixels = npt.NDArray[np.uint8]
_Value = TypeVar("_Value", bound=np.generic)

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_CHANNELS = (1, 3, 4)


class Region(NamedTuple):
    """The rectangle of an image that is segmented: columns ``left`` to ``right - 1``, rows ``top``
    to ``bottom - 1``, in pixels from the upper left corner.
    """

    left: int
    top: int
    right: int
    bottom: int

    def cut(self, pixels: npt.NDArray[_Value]) -> npt.NDArray[_Value]:
        """The region of (H, W, ...) values, as a contiguous array."""
        return np.ascontiguousarray(pixels[self.top : self.bottom, self.left : self.right])

    @property
    def pixels(self) -> int:
        """Number of pixels in the region."""
        return (self.right - self.left) * (self.bottom - self.top)


def as_region(given: Any, height: int, width: int) -> Region:
    """Convert (left, top, right, bottom) to a region of an image; UsageError if it is invalid."""
    try:
        values = [int(value) for value in given]
        whole = len(values) == 4 and all(map(np.equal, values, given))
    except (TypeError, ValueError, OverflowError):
        whole = False
    if not whole:
        raise UsageError(
            f"{given!r:.60} is not a region; give (left, top, right, bottom) in pixels."
        )
    region = Region(*values)
    if not (0 <= region.left < region.right <= width and 0 <= region.top < region.bottom <= height):
        raise UsageError(
            f"the region {tuple(region)} does not lie in the image, {width} pixels wide and "
            f"{height} high; give (left, top, right, bottom) within it."
        )
    return region


def name_of(image: Any) -> str:
    """The path of an image; empty if it has none."""
    if isinstance(image, str | os.PathLike):
        return str(as_path(os.fspath(image)))
    return str(getattr(image, "filename", "") or "") if isinstance(image, Image.Image) else ""


def as_path(source: Any) -> Path:
    """The path of a source, which may be a ``file://`` URL; UserError for other URLs."""
    text = os.fsdecode(source)
    if not _ADDRESS.match(text) or Path(text).exists():
        return expand_user(text)
    address = urlsplit(text)
    if address.scheme.lower() != "file" or address.netloc not in ("", "localhost"):
        raise UserError(
            f"'{text:.100}' is not a file on this machine, and hierseg downloads no images; save "
            "it first and give its path."
        )
    return Path(url2pathname(address.path))


def as_pixels(image: ImageLike) -> Pixels:
    """Convert an image to a contiguous, writeable (H, W, 3) uint8 RGB array.

    Args:
        image: A path, a ``file://`` URL, the bytes of an image file or a Pillow image; an array,
            (H, W), or (H, W, C) with C 1, 3 or 4: grey, RGB or RGBA (alpha is dropped); or a
            tensor, also (C, H, W). Values are uint8, uint16, or floats in [0, 1].

    Raises:
        UserError: The image cannot be read, or has another shape or other values.
    """
    if isinstance(image, bytes | bytearray | memoryview):
        return decode_image(bytes(image))
    if isinstance(image, str | os.PathLike):
        return read_image(as_path(os.fspath(image)))
    if isinstance(image, Image.Image):
        pixels: Any = convert_image(image)
    else:
        pixels = _as_bytes(_drop_channels(_as_array(image)))
    check_size(pixels.shape[0], pixels.shape[1])
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    if not (pixels.flags.writeable and pixels.flags.c_contiguous):
        pixels = pixels.copy(order="C")  # torch can only share such memory
    return np.asarray(pixels)


def _as_array(image: Any) -> npt.NDArray[Any]:
    is_tensor = isinstance(image, Tensor)
    try:
        if is_tensor:
            image = image.detach().cpu()
            image = image.float() if image.is_floating_point() else image
        pixels = np.asarray(image)
    except (TypeError, ValueError, RuntimeError) as error:  # such as rows of different lengths
        raise UserError(
            f"the image, of type {type(image).__name__}, is not an array ({error!s:.100}); give a "
            "path, a Pillow image, or an array of uint8, RGB, (H, W, 3)."
        ) from error
    if pixels.ndim == 0 or pixels.dtype.kind not in "biufc":
        raise UserError(
            f"{type(image).__name__} is not an image; give a path, a Pillow image, or an array of "
            "uint8, RGB, (H, W, 3)."
        )
    # Tensors may have channels first. 1, 3 or 4 cannot be rows, since images have 32 or more.
    if is_tensor and pixels.ndim == 3 and pixels.shape[0] in _CHANNELS:
        pixels = pixels.transpose(1, 2, 0)
    return pixels


def _drop_channels(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Reduce (H, W, C) to (H, W, 3), or (H, W) if it is grey; UserError for other shapes."""
    if pixels.ndim == 2:
        return pixels
    if pixels.ndim != 3 or pixels.shape[2] not in _CHANNELS:
        raise UserError(
            f"the image is an array of shape {pixels.shape}; give (H, W, 3), RGB"
            f"{_cure_shape(pixels.shape)}."
        )
    if pixels.shape[2] == 3:
        return pixels
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels[..., :3]


def _as_bytes(pixels: npt.NDArray[Any]) -> Pixels:
    """Convert values to uint8: the upper 8 bits of 16, as in files, and floats times 255."""
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        return (pixels >> 8).astype(np.uint8)
    if pixels.dtype.kind == "f":
        least, most = (pixels.min(), pixels.max()) if pixels.size else (0, 0)
        if not (least >= 0 and most <= 1):  # NaN too
            raise UserError(
                f"the image holds floats from {least:g} to {most:g}, not in [0, 1]; give "
                "array.astype(np.uint8) where they are 0 to 255, or undo what normalised them."
            )
        return np.asarray(np.rint(pixels * pixels.dtype.type(255)), np.uint8)
    cure = "; give array.astype(np.uint8) where it holds 0 to 255"
    raise UserError(
        f"the image is an array of {pixels.dtype}, not of uint8, RGB, (H, W, 3)"
        f"{cure if pixels.dtype.kind in 'iu' else ''}."
    )


def _cure_shape(shape: tuple[int, ...]) -> str:
    """The end of the error about a shape: how to get (H, W, 3), if that is known."""
    if len(shape) == 3 and shape[0] in _CHANNELS:
        return ": array.transpose(1, 2, 0) puts the channels last"
    return ", or several images to predict_batch" if len(shape) == 4 else ""


def list_images(images: Any) -> list[ImageLike]:
    """Several images as a list; UserError for a single image, whose letters or rows would be taken
    for images.
    """
    single = isinstance(images, str | bytes | bytearray | memoryview | os.PathLike | Image.Image)
    if single or not isinstance(images, Iterable) or getattr(images, "ndim", 4) != 4:
        raise UserError(
            f"predict_batch takes several images, and this is one {type(images).__name__}; give a "
            "list of them, or the one image to the predictor itself."
        )
    return list(images)
