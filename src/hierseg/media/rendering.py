"""Renders label maps, overlays and heat maps as arrays, and the legend as data."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.errors import UserError
from hierseg.labels import LabelSpace
from hierseg.media.palettes import PaletteName, choose_colors, find_background
from hierseg.media.region_names import draw_names

Picture = npt.NDArray[np.uint8]

ALPHA = 0.55
"""Weight of the class colour in an overlay."""
BAND_PIXELS = 2**22
"""Pixels that are rendered at a time."""


def map_rows(
    compute: Callable[..., npt.NDArray[Any]], *maps: npt.NDArray[Any], margin: int = 0
) -> npt.NDArray[Any]:
    """Apply a function to (H, W, ...) maps in bands of rows, to save memory: its temporary arrays
    may take several times the memory of a large map.

    Args:
        compute: Takes the same rows of each map, and returns as many rows.
        maps: The maps, all of one height.
        margin: Number of rows above and below on which a row of the result depends.

    Returns:
        (H, ...) the joined rows.
    """
    height, width = maps[0].shape[:2]
    count = max(1, BAND_PIXELS // max(1, width))
    result: npt.NDArray[Any] | None = None
    for top in range(0, height, count):
        bottom = min(height, top + count)
        first = max(0, top - margin)
        rows = compute(*(one[first : min(height, bottom + margin)] for one in maps))
        rows = rows[top - first : bottom - first]
        if bottom - top == height:
            return rows
        if result is None:
            result = np.empty((height, *rows.shape[1:]), rows.dtype)
        result[top:bottom] = rows
    assert result is not None
    return result


def render_color(
    labels: npt.NDArray[np.uint8], space: LabelSpace, palette: PaletteName = "dataset"
) -> Picture:
    """Render (H, W) train ids as (H, W, 3) uint8 RGB in the classes' colours; ignore is black."""
    # LUT by channel takes a tenth of the time of numpy's indexing, and releases the GIL.
    indices, table = np.ascontiguousarray(labels, np.uint8), choose_colors(space, palette)
    return _look_up(table, indices)


def _look_up(colors: npt.NDArray[np.uint8], indices: npt.NDArray[np.uint8]) -> Picture:
    """``colors[indices]``, (256, 3) colours and contiguous indices, some times as fast."""
    channels = [cv2.LUT(indices, np.ascontiguousarray(colors[:, c])) for c in range(3)]
    return np.asarray(cv2.merge(channels), np.uint8)


def render_overlay(
    image: Picture,
    labels: npt.NDArray[np.uint8],
    space: LabelSpace,
    alpha: float = ALPHA,
    palette: PaletteName = "dataset",
    names: bool = False,
) -> Picture:
    """Lay the classes' colours over the image, with a thin light line where classes meet.

    Args:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) uint8 train ids; pixels of ignore and of background classes show the image
            unchanged.
        space: The label space, for names and colours.
        alpha: Weight of the colours, from 0 (only the image) to 1 (only the colours).
        palette: The palette, as for ``choose_colors``.
        names: Write the names of classes on their large regions.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        UserError: The weight is out of range, or there is no such palette.
    """
    weight: Any = alpha
    if not (isinstance(weight, numbers.Real) and 0 <= float(weight) <= 1):
        raise UserError(f"alpha {alpha!r:.40} is not a weight of colours; give one from 0 to 1.")
    width = max(1, round(min(labels.shape) / 700))

    colors = choose_colors(space, palette)
    plain = np.isin(np.arange(256), [space.ignore, *find_background(space)])

    def render(rows: Picture, of_rows: npt.NDArray[np.uint8]) -> Picture:
        return _render_overlay(rows, of_rows, colors, plain, float(alpha), width)

    picture = map_rows(render, image, labels, margin=width + 1)
    return draw_names(picture, labels, space) if names else picture


def _render_overlay(
    image: Picture,
    labels: npt.NDArray[np.uint8],
    colors: npt.NDArray[np.uint8],
    plain: npt.NDArray[np.bool_],
    alpha: float,
    width: int,
) -> Picture:
    indices = np.ascontiguousarray(labels, np.uint8)
    blended = cv2.addWeighted(image, 1 - alpha, _look_up(colors, indices), alpha, 0)
    ignored = cv2.LUT(indices, plain.view(np.uint8)).view(bool)
    if ignored.any():
        blended[ignored] = image[ignored]
    line = np.flatnonzero(_outline(labels, width) & ~ignored)
    # A lighter tone of the class's own colour shows which class it outlines, on any ground.
    light = 0.75 * (0.6 * colors + 0.4 * 255)
    pixels = np.asarray(blended, np.uint8).reshape(-1, 3)
    own = light.take(labels.ravel().take(line), axis=0)
    pixels[line] = np.rint(0.25 * pixels.take(line, axis=0) + own)
    return pixels.reshape(image.shape)


def _outline(labels: npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.bool_]:
    """(H, W) bool: pixels within ``width`` of a border between regions."""
    line = np.zeros(labels.shape, bool)
    line[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    line[:-1] |= labels[:-1] != labels[1:]
    if width > 1:
        grown = cv2.dilate(line.astype(np.uint8), np.ones((width, width), np.uint8))
        line = grown.astype(bool)
    return line


def render_grey(values: npt.NDArray[np.floating[Any]]) -> Picture:
    """Render (H, W) values in [0, 1] as (H, W) uint8 grey."""
    return map_rows(lambda rows: np.rint(np.clip(rows, 0, 1) * 255).astype(np.uint8), values)


def render_heat(values: npt.NDArray[np.floating[Any]]) -> Picture:
    """Render (H, W) values in [0, 1] as (H, W, 3) uint8 RGB, from near black to pale yellow."""
    colors = cv2.applyColorMap(render_grey(values), cv2.COLORMAP_INFERNO)  # perceptually uniform
    return np.asarray(cv2.cvtColor(colors, cv2.COLOR_BGR2RGB, dst=colors), np.uint8)


def render_errors(
    image: Picture, labels: npt.NDArray[np.uint8], truth: npt.NDArray[np.uint8], ignore: int
) -> Picture:
    """Render the (H, W, 3) image in pale grey, with wrong (H, W) labels in red. Pixels whose true
    label is ``ignore`` count as right.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    picture = np.repeat((grey // 2 + 100).astype(np.uint8)[..., None], 3, axis=2)
    picture[(labels != truth) & (truth != ignore)] = (214, 40, 40)
    return picture


def shrink(picture: Picture, longest: int) -> Picture:
    """Reduce a picture so that its longer side has at most ``longest`` pixels."""
    height, width = picture.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return picture
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def describe_legend(space: LabelSpace) -> list[dict[str, Any]]:
    """The classes as data: train id, raw id, name, colour as RGB and as #rrggbb."""
    codes = hex_colors(space)
    return [
        {"train_id": train, "raw_id": raw, "name": name, "color": list(color), "hex": codes[name]}
        for train, (raw, name, color) in enumerate(
            zip(space.raw_ids, space.names, space.colors, strict=True)
        )
    ]


def hex_colors(space: LabelSpace) -> dict[str, str]:
    """The colour of each class as pages write it: (128, 64, 128) as ``#804080``."""
    return {
        name: "#{:02x}{:02x}{:02x}".format(*color)
        for name, color in zip(space.names, space.colors, strict=True)
    }
