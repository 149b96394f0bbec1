"""Moving images and label maps by a flow (METHOD section 8): ``out(x, y) = in(x + u, y + v)``.

Shapes: B batch, C channels, H and W pixels.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from hierseg.flow.protocol import Flow, Image

Number = TypeVar("Number", bound=np.generic)


def warp(images: Tensor, flow: Tensor) -> Tensor:
    """Bilinear values, coordinates clamped to the image; differentiable in both.

    Args:
        images: (B, C, H, W) float.
        flow: (B, 2, H, W) float, in pixels; where it is NaN the image stays in place.
    """
    x, y = _coordinates(flow)
    height, width = flow.shape[-2:]
    grid = torch.stack((_normalise(x, width), _normalise(y, height)), dim=-1)
    return F.grid_sample(
        images, grid.to(images.dtype), mode="bilinear", padding_mode="border", align_corners=True
    )


def warp_nearest(maps: Tensor, flow: Tensor) -> Tensor:
    """The nearest values, halves rounded up, coordinates clamped to the map.

    Args:
        maps: (B, C, H, W) of any type.
        flow: (B, 2, H, W) float, in pixels; where it is NaN the map stays in place.
    """
    places = _find_places(flow).flatten(1)
    flat = maps.flatten(2)
    return flat.gather(2, places[:, None].expand(-1, flat.shape[1], -1)).view(maps.shape)


def find_leaving(flow: Tensor) -> Tensor:
    """(B, H, W) bool of a (B, 2, H, W) flow: what it takes from outside of the picture, or where it
    is not known.
    """
    height, width = flow.shape[-2:]
    columns, rows = _nearest(flow)
    outside = (columns < 0) | (columns >= width) | (rows < 0) | (rows >= height)
    return outside | flow.isnan().any(1)


def warp_image(image: Image, flow: Flow) -> Image:
    """``warp`` for an image: (H, W, 3) uint8 by an (H, W, 2) flow, rounded half up."""
    moved = warp(as_batch(image).float(), as_batch(flow))[0]
    rounded = (moved + 0.5).floor_().clamp_(0, 255).to(torch.uint8)
    return np.ascontiguousarray(rounded.permute(1, 2, 0).numpy())


def warp_labels(
    labels: npt.NDArray[Number], flow: Flow, fill: int | None = None
) -> npt.NDArray[Number]:
    """``warp_nearest`` for a label map, by the very flow that its image is moved by.

    Args:
        labels: (H, W) whole numbers, or confidence.
        flow: (H, W, 2).
        fill: What pixels become that the flow takes from outside of the picture; None keeps the
            value at the border.

    Returns:
        (H, W) of the same type.
    """
    # By numpy, since torch lacks some types of whole numbers.
    moved: npt.NDArray[Number] = labels.reshape(-1)[_find_places(as_batch(flow))[0].numpy()]
    if fill is not None:
        moved[leaves_picture(flow)] = fill
    return moved


def leaves_picture(flow: Flow) -> npt.NDArray[np.bool_]:
    """``find_leaving`` for one flow: (H, W) bool of (H, W, 2)."""
    leaving: npt.NDArray[np.bool_] = find_leaving(as_batch(flow))[0].numpy()
    return leaving


def as_batch(array: npt.NDArray[Any]) -> Tensor:
    """(1, C, H, W) of an array (H, W, C)."""
    return torch.from_numpy(np.ascontiguousarray(array)).permute(2, 0, 1)[None]


def _coordinates(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Columns and rows (B, H, W) that a flow points at."""
    height, width = flow.shape[-2:]
    known = flow.nan_to_num(0.0, posinf=width + height, neginf=-(width + height))
    columns = torch.arange(width, device=flow.device, dtype=flow.dtype)
    rows = torch.arange(height, device=flow.device, dtype=flow.dtype)
    return known[:, 0] + columns, known[:, 1] + rows[:, None]


def _normalise(coordinate: Tensor, length: int) -> Tensor:
    """Pixels as grid_sample counts them: -1 the first, 1 the last."""
    return coordinate * (2 / max(length - 1, 1)) - 1


def _find_places(flow: Tensor) -> Tensor:
    """(B, H, W) places of the nearest pixels, in rows one after the other."""
    height, width = flow.shape[-2:]
    columns, rows = _nearest(flow)
    return rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)


def _nearest(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Columns and rows, as whole numbers that may lie just outside of the picture."""
    height, width = flow.shape[-2:]
    x, y = _coordinates(flow)
    # Clamped as fractions: a float beyond all bounds is no whole number.
    columns = (x + 0.5).floor().clamp(-1, width).long()
    rows = (y + 0.5).floor().clamp(-1, height).long()
    return columns, rows
