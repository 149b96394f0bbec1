"""Stranger's data: circles, squares and triangles over drawn streets, in layouts that people have.

No camera and no hand made them: each picture is a drawn street of a seed, darkened a little, with
one shape of each kind, whose mask is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.size import Size
from hierseg.streets import draw_street, scene_seed

Array = npt.NDArray[np.uint8]
KINDS = ("circle", "square", "triangle")
COLORS = ((220, 40, 40), (40, 90, 230), (250, 210, 40))
"""RGB of each kind, in the picture and in masks of colours."""
IDS = (1, 2, 3)


def draw_shapes(
    count: int, size: Size, seed: int = 0, frames: Sequence[Path] = ()
) -> Iterator[tuple[Array, Array]]:
    """Pictures, (H, W, 3) uint8 RGB, and masks, (H, W) uint8: 0, or 1 to 3 by the kind.

    Args:
        count: How many.
        size: Of each.
        seed: Of where the shapes are.
        frames: What they are drawn over; drawn streets where there are none.
    """
    numbers = np.random.default_rng(seed)
    for index in range(count):
        if frames:
            frame = cv2.imread(str(frames[index % len(frames)]))
            assert frame is not None
            frame = cv2.resize(frame, (size.width, size.height), interpolation=cv2.INTER_AREA)
            picture = np.ascontiguousarray(frame[..., ::-1])
        else:
            picture = np.ascontiguousarray(draw_street(scene_seed(seed, index), size)[0])
        mask: Array = np.zeros((size.height, size.width), np.uint8)
        for kind in numbers.permutation(len(KINDS)).tolist():
            _draw_shape(picture, mask, kind, numbers)
        yield picture, mask


def _draw_shape(picture: Array, mask: Array, kind: int, numbers: np.random.Generator) -> None:
    height, width = mask.shape
    radius = int(numbers.integers(round(0.12 * height), round(0.22 * height)))
    x = int(numbers.integers(radius, width - radius))
    y = int(numbers.integers(radius, height - radius))
    turn = numbers.uniform(0, 2 * np.pi)
    corners = {0: 48, 1: 4, 2: 3}[kind]
    angles = turn + np.arange(corners) * 2 * np.pi / corners
    points = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], 1)
    polygon = points.round().astype(np.int32)
    cv2.fillPoly(mask, [polygon], IDS[kind])
    shade = numbers.uniform(0.85, 1.0)
    cv2.fillPoly(picture, [polygon], [round(shade * c) for c in COLORS[kind]], cv2.LINE_AA)


def color_mask(mask: Array) -> Array:
    """The mask as colours: black, or that of the kind."""
    table = np.array([(0, 0, 0), *COLORS], np.uint8)
    return table[mask]


def write_image(path: Path, pixels: npt.NDArray[Any]) -> Path:
    """Write a picture, its channels RGB, and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    return path


def draw_blocks(index: int, size: Size = Size(64, 96)) -> tuple[Array, Array]:
    """A picture of two plain blocks on noise and its mask of 0, 1 and 2, for tests that look at
    layouts and not at what is learnt.
    """
    numbers = np.random.default_rng(index)
    picture = numbers.integers(60, 120, (size.height, size.width, 3)).astype(np.uint8)
    mask: Array = np.zeros((size.height, size.width), np.uint8)
    for label, left in ((1, 4), (2, size.width // 2)):
        top = 4 + int(numbers.integers(0, size.height // 3))
        region = (slice(top, top + size.height // 3), slice(left, left + size.width // 3))
        mask[region] = label
        picture[region] = COLORS[label - 1]
    return picture, mask
