"""The part of a resized image that a crop needs, without resizing the rest of it.

The sampling grid is that of the whole image (METHOD section 6: images bicubic, antialiased where
they shrink, labels nearest, both by the same pixel centres), so the part that is made here equals
the crop of the resized whole.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from hierseg.size import Size

SUPPORT = 2
"""Pixels that bicubic interpolation reaches to either side, in the coarser of the two grids."""
BOX_COST = 4
"""Pillow can resize to a part of the grid, but takes this many times as long a pixel as torch."""


def resize_part(
    image: Tensor, labels: Tensor, size: Size, rows: slice, columns: slice
) -> tuple[Tensor, Tensor]:
    """Image and labels resized to ``size``, of which only some rows and columns are made.

    Args:
        image: (3, H, W) uint8 RGB; fastest where its memory is channels-last.
        labels: (H, W) uint8.
        size: Size of the whole after resizing.
        rows: Rows of the resized whole that are wanted, start and stop within it.
        columns: Its columns that are wanted.

    Returns:
        (3, h, w) uint8 and (h, w) uint8; views where nothing is resized.
    """
    if tuple(image.shape[-2:]) == size:
        return image[..., rows, columns], labels[rows, columns]
    return (
        _resize_image(image.as_subclass(Tensor), size, rows, columns),
        pick_nearest(labels.as_subclass(Tensor), size, rows, columns),
    )


def _resize_image(image: Tensor, size: Size, rows: slice, columns: slice) -> Tensor:
    """Pillow or torch, whichever is faster; they differ by a level at most."""
    height, width = image.shape[-2:]
    share = (rows.stop - rows.start) * (columns.stop - columns.start) / (size.height * size.width)
    if BOX_COST * share > 1:
        whole: Tensor = functional.resize(
            image, list(size), InterpolationMode.BICUBIC, antialias=True
        )
        return whole[..., rows, columns]
    top, bottom, above, below = _find_source(height, size.height, rows)
    left, right, before, behind = _find_source(width, size.width, columns)
    part = np.ascontiguousarray(image[..., top:bottom, left:right].permute(1, 2, 0).numpy())
    resized = Image.fromarray(part).resize(
        (columns.stop - columns.start, rows.stop - rows.start),
        Image.Resampling.BICUBIC,
        box=(before, above, behind, below),
    )
    return torch.from_numpy(np.array(resized)).permute(2, 0, 1)


def _find_source(before: int, after: int, wanted: slice) -> tuple[int, int, float, float]:
    """Along one side: first and last source pixel that interpolation reads, and the interval in
    them that becomes the wanted pixels.
    """
    ratio = before / after
    start, stop = wanted.start * ratio, wanted.stop * ratio
    reach = SUPPORT * max(1.0, ratio) + 1
    first = max(0, math.floor(start - reach))
    last = min(before, math.ceil(stop + reach))
    return first, last, start - first, min(stop - first, float(last - first))


def pick_nearest(labels: Tensor, size: Size, rows: slice, columns: slice) -> Tensor:
    """(H, W) labels resized to ``size`` by nearest neighbour, of which rows and columns are made.

    A new pixel gets the label of the old pixel that holds its centre, computed in whole numbers.
    """
    height, width = labels.shape
    picked_rows = _pick_centres(height, size.height, rows)
    picked_columns = _pick_centres(width, size.width, columns)
    return torch.from_numpy(labels.numpy()[picked_rows[:, None], picked_columns[None]])


def _pick_centres(before: int, after: int, wanted: slice) -> npt.NDArray[np.int64]:
    numbers = np.arange(wanted.start, wanted.stop, dtype=np.int64)
    return (2 * numbers + 1) * before // (2 * after)
