"""Polygons, run lengths and layers of brushes, drawn as label maps."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.data.reading import DataError, read_confidence
from hierseg.errors import MALFORMED, UserError
from hierseg.size import Size

MOST_POINTS = 1_000_000
"""Numbers of one shape."""
HALF = 128


@dataclass(frozen=True)
class Shape:
    """A region of one class.

    Attributes:
        label: What the drawn label map holds there; 0 is the background.
        polygons: Corners, each (n, 2) float, x and y in pixels, or in shares of the image's sides.
        in_shares: Which of the two.
        counts: Run lengths, off and on by turns: of the whole image in column order, as COCO has
            them, or of ``box`` in row order, as CVAT has them.
        box: Left, top, width and height of the part of the image that ``counts`` fill.
        layer: A picture whose bright pixels are the region.
        size: Of the image that the region was drawn on; None where that is not known.
    """

    label: int
    polygons: tuple[npt.NDArray[np.float64], ...] = ()
    in_shares: bool = False
    counts: Sequence[int] | npt.NDArray[np.int64] | None = None
    box: tuple[int, int, int, int] | None = None
    layer: Path | None = None
    size: Size | None = None


def draw_label_map(shapes: Sequence[Shape], size: Size) -> npt.NDArray[np.uint8]:
    """(H, W) uint8: the label of the last shape at each pixel, 0 where there is none."""
    drawn = np.zeros((size.height, size.width), np.uint8)
    for shape in shapes:
        if shape.size not in (None, size):
            raise DataError(
                f"it is {size}, and the one that was labelled {shape.size}; put the images beside "
                "their labels as they were labelled."
            )
        if shape.layer is not None:
            grey = read_confidence(shape.layer)
            if grey.shape != drawn.shape:
                raise DataError(
                    f"'{shape.layer}' is {Size(*grey.shape)} and its image is {size}; export the "
                    "masks again beside the images that were labelled."
                )
            drawn[grey >= HALF] = shape.label
        elif shape.counts is not None and shape.box is not None:
            left, top, width, height = shape.box
            part = drawn[top : top + height, left : left + width]
            is_on = np.arange(len(shape.counts)) % 2 == 1
            part[np.repeat(is_on, shape.counts).reshape(height, width)] = shape.label
        elif shape.counts is not None:
            drawn[_fill_runs(shape.counts, size)] = shape.label
        else:
            factors = np.array([size.width, size.height] if shape.in_shares else [1, 1], float)
            # A pixel's centre is at a half; sixteenths of a pixel are what OpenCV draws.
            corners = [((polygon * factors - 0.5) * 16).round() for polygon in shape.polygons]
            limit = 16 * 2**15 - 1
            points = [np.clip(one, -limit, limit).astype(np.int32) for one in corners]
            for one in points:
                cv2.fillPoly(drawn, [one], shape.label, shift=4)
    return drawn


def make_polygon(numbers: Sequence[Any], where: str) -> npt.NDArray[np.float64]:
    """(n, 2) corners of x and y by turns; UserError naming the place where they are none."""
    try:
        values = np.array(numbers, np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: a polygon is a list of numbers.") from error
    if values.ndim != 1 or len(values) % 2 or not 6 <= len(values) <= MOST_POINTS:
        raise UserError(f"{where}: a polygon is x and y by turns, of three corners or more.")
    if not np.isfinite(values).all():
        raise UserError(f"{where}: a polygon has corners that are not numbers; export it again.")
    return values.reshape(-1, 2)


def decode_counts(text: str) -> tuple[int, ...]:
    """Run lengths from COCO's compressed text: groups of five bits, each length from the third on
    less the one two before.

    Raises:
        ValueError: The text has another form.
    """
    counts: list[int] = []
    place = 0
    while place < len(text):
        value = shift = 0
        while True:
            if place >= len(text) or shift > 60:
                raise ValueError("cut short")
            bits = ord(text[place]) - 48
            if not 0 <= bits < 64:
                raise ValueError("no such letter")
            place += 1
            value |= (bits & 31) << shift
            shift += 5
            if not bits & 32:
                break
        if bits & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return tuple(counts)


def make_box_runs(
    numbers: Sequence[Any], width: int, height: int, where: str
) -> npt.NDArray[np.int64]:
    """Run lengths that fill a box; UserError naming the place where they do not."""
    try:
        counts = np.array(numbers, np.int64)
    except MALFORMED as error:
        raise UserError(f"{where}: run lengths are numbers with commas between.") from error
    most = width * height
    # Each by itself first: a sum of numbers beyond 64 bits may come out as anything.
    if counts.min() < 0 or counts.max() > most or len(counts) > most + 1 or counts.sum() != most:
        raise UserError(f"{where}: run lengths do not fill {width}x{height}; export it again.")
    return counts


def _fill_runs(counts: Any, size: Size) -> npt.NDArray[np.bool_]:
    ends = list(itertools.accumulate(counts))
    if min(counts, default=0) < 0 or (ends[-1] if ends else 0) != size.height * size.width:
        raise DataError(f"run lengths do not fill an image of {size}; export the data again.")
    flat = np.zeros(size.height * size.width, np.bool_)
    for start, end in zip(ends[::2], ends[1::2], strict=False):
        flat[start:end] = True
    return flat.reshape(size.width, size.height).T
