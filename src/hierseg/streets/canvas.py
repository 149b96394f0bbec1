"""The canvas of a scene: colour and label id in one buffer.

Every painting operation covers the same pixels in colour and in label, so that the two cannot
disagree. Nothing here is smoothed: the picture is painted larger than asked for and reduced later.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.streets.camera import Points
from hierseg.streets.tracing import Trace

Color = Any  # three numbers in 0..255: a tuple, a list, or an array
Pixels = npt.NDArray[np.uint8]

_SHIFT = 3  # binary digits of a polygon's coordinates behind the point


class Canvas:
    """A picture that is being painted.

    Args:
        height: Pixels.
        width: Pixels.
        trace: Notified of everything that is painted.

    Attributes:
        pixels: (height, width, 4) uint8: red, green, blue, label id.
    """

    def __init__(self, height: int, width: int, trace: Trace | None = None) -> None:
        self.trace = trace
        self.pixels: Pixels = np.zeros((height, width, 4), np.uint8)

    @property
    def labels(self) -> Pixels:
        """(height, width) label ids, a view."""
        return self.pixels[..., 3]

    def fill(self, polygon: Points, color: Color, label: int) -> None:
        """Fill a polygon (k, 2) of pixel coordinates."""
        if len(polygon) >= 3:
            self.fill_fixed(to_fixed(polygon), color, label)

    def fill_fixed(self, polygon: npt.NDArray[np.int32], color: Color, label: int) -> None:
        """Fill a polygon (k, 2) of coordinates that ``to_fixed`` made."""
        red, green, blue = color
        value = (float(red), float(green), float(blue), float(label))
        cv2.fillPoly(self.pixels, [polygon], value, cv2.LINE_8, _SHIFT)
        if self.trace is not None:
            self.trace.fill(polygon)

    def veil(self, polygon: Points, color: Color, label: int, opacity: float) -> None:
        """Fill a polygon half-transparently; its label replaces all labels behind it."""
        box = self._box(polygon)
        if box is None:
            return
        rows, columns = box
        behind = self.pixels[rows, columns]
        front = behind.copy()
        value = (*(float(c) for c in color), float(label))
        moved = to_fixed(polygon - (columns.start, rows.start))
        cv2.fillPoly(front, [moved], value, cv2.LINE_8, _SHIFT)
        mixed = cv2.addWeighted(front, opacity, behind, 1 - opacity, 0)
        mixed[..., 3] = front[..., 3]
        self.pixels[rows, columns] = mixed
        if self.trace is not None:
            self.trace.fill(to_fixed(polygon))

    def stroke(self, points: Points, color: Color, label: int, thickness: float) -> None:
        """Draw a closed line through points (k, 2), as thick as given and at least a pixel."""
        value = (*(float(c) for c in color), float(label))
        width = max(1, round(thickness))
        cv2.polylines(self.pixels, [to_fixed(points)], True, value, width, cv2.LINE_8, _SHIFT)
        if self.trace is not None:
            self.trace.stroke(to_fixed(points), width)

    def paste(self, texture: Pixels, homography: Points, polygon: Points, label: int) -> None:
        """Lay a picture over a polygon.

        Args:
            texture: (h, w, 3) RGB.
            homography: (3, 3) from the texture's pixel indices to the canvas's.
            polygon: (k, 2) what is covered.
            label: Label id of what is covered.
        """
        box = self._box(polygon)
        if box is None:
            return
        rows, columns = box
        region = self.pixels[rows, columns]
        move = np.array([[1, 0, -columns.start], [0, 1, -rows.start], [0, 0, 1.0]])
        size = (region.shape[1], region.shape[0])
        flat = np.full((*texture.shape[:2], 4), label, np.uint8)
        flat[..., :3] = texture
        warped = cv2.warpPerspective(
            flat, move @ homography, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        mask = np.zeros(region.shape[:2], np.uint8)
        moved = to_fixed(polygon - (columns.start, rows.start))
        cv2.fillPoly(mask, [moved], 255, cv2.LINE_8, _SHIFT)
        cv2.copyTo(warped, mask, region)
        if self.trace is not None:
            self.trace.stamp(mask, rows, columns)

    def stamp(self, picture: Pixels, mask: Pixels, row: int, column: int, label: int) -> None:
        """Copy a picture (h, w, 3) where a mask (h, w) is not 0; row and column of its corner."""
        top, left = max(0, -row), max(0, -column)
        bottom = min(picture.shape[0], self.pixels.shape[0] - row)
        right = min(picture.shape[1], self.pixels.shape[1] - column)
        if bottom <= top or right <= left:
            return
        rows, columns = slice(row + top, row + bottom), slice(column + left, column + right)
        region = self.pixels[rows, columns]
        whole = np.full((bottom - top, right - left, 4), label, np.uint8)
        whole[..., :3] = picture[top:bottom, left:right]
        shape = np.ascontiguousarray(mask[top:bottom, left:right])
        cv2.copyTo(whole, shape, region)
        if self.trace is not None:
            self.trace.stamp(shape, rows, columns)

    def _box(self, polygon: Points) -> tuple[slice, slice] | None:
        """Rows and columns that a polygon may touch, or None if it lies outside."""
        if len(polygon) < 3:
            return None
        height, width = self.pixels.shape[:2]
        left, top = np.floor(polygon.min(axis=0)).astype(int) - 1
        right, bottom = np.ceil(polygon.max(axis=0)).astype(int) + 2
        rows = slice(max(0, int(top)), min(height, int(bottom)))
        columns = slice(max(0, int(left)), min(width, int(right)))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return None
        return rows, columns


def to_fixed(points: Points) -> npt.NDArray[np.int32]:
    """Pixel coordinates (..., 2) as the fixed-point integers that OpenCV fills by."""
    return np.rint(points * (1 << _SHIFT)).astype(np.int32)
