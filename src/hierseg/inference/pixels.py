"""Whatever a user has as an image: brought to the one form that a predictor runs, or refused."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from hierseg.errors import UserError
from hierseg.media import check_size, convert_image, read_image

ImageLike = npt.NDArray[Any] | Image.Image | str | os.PathLike[str]


def as_pixels(image: ImageLike) -> npt.NDArray[np.uint8]:
    """Any image that a user has as (H, W, 3) uint8 RGB; UserError where it is none."""
    if isinstance(image, str | os.PathLike):
        return read_image(Path(image))
    pixels = convert_image(image) if isinstance(image, Image.Image) else _as_array(image)
    if pixels.dtype != np.uint8:
        cure = "; give array.astype(np.uint8) where it holds 0 to 255"
        if pixels.dtype.kind == "f":
            cure = "; give uint8 in 0..255, as (array * 255).round() of fractions"
        raise UserError(
            f"the image is an array of {pixels.dtype}, not of uint8, RGB, (H, W, 3)"
            f"{cure if pixels.dtype.kind in 'iuf' else ''}."
        )
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise UserError(
            f"the image is an array of shape {pixels.shape}; give (H, W, 3), RGB"
            f"{_cure_shape(pixels.shape)}."
        )
    check_size(pixels.shape[0], pixels.shape[1])
    if not (pixels.flags.writeable and pixels.flags.c_contiguous):
        pixels = pixels.copy(order="C")  # torch shares memory with arrays of this kind alone
    return pixels


def _as_array(image: Any) -> npt.NDArray[Any]:
    try:
        pixels = np.asarray(image)
    except (TypeError, ValueError, RuntimeError) as error:  # a tensor on a GPU, or rows that differ
        raise UserError(
            f"the image, of type {type(image).__name__}, is no array ({error!s:.100}); give a "
            "path, a Pillow image, or an array of uint8, RGB, (H, W, 3)."
        ) from error
    if pixels.ndim == 0 or pixels.dtype.kind not in "biufc":
        raise UserError(
            f"{type(image).__name__} is no image; give a path, a Pillow image, or an array of "
            "uint8, RGB, (H, W, 3)."
        )
    return pixels


def _cure_shape(shape: tuple[int, ...]) -> str:
    """How an array of another shape becomes one of (H, W, 3), where that can be told."""
    if len(shape) == 3 and shape[0] == 3:
        return ": array.transpose(1, 2, 0) puts the channels last"
    if len(shape) == 3 and shape[2] == 4:
        return ": array[..., :3] leaves out the fourth channel"
    if len(shape) == 3 and shape[2] == 1:
        return ": array[..., 0] is a grey image, (H, W)"
    return ", or several images to predict_batch" if len(shape) == 4 else ""


def list_images(images: Any) -> list[ImageLike]:
    """Several images; UserError for one alone, whose letters or rows would be taken for images."""
    single = isinstance(images, str | bytes | os.PathLike | Image.Image)
    if single or not isinstance(images, Iterable) or getattr(images, "ndim", 4) != 4:
        raise UserError(
            f"predict_batch takes several images, and this is one {type(images).__name__}; give a "
            "list of them, or the one image to the predictor itself."
        )
    return list(images)
