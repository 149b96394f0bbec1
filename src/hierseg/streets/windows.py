"""House fronts, the pictures of their windows, and how rectangles are painted into them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np

from hierseg.streets.camera import Points
from hierseg.streets.canvas import Color, Pixels

LOOKS = 5
"""Looks of a window: dark, sky, drawn curtains, half a blind, lit."""

PANES: tuple[tuple[Color, Color], ...] = (
    ((62, 70, 80), (40, 46, 54)), ((142, 164, 186), (74, 88, 104)),
    ((196, 190, 178), (150, 146, 138)), ((178, 176, 168), (52, 60, 68)),
    ((255, 226, 160), (244, 188, 108)),
)  # fmt: skip
"""The upper and the lower colour of each look."""

_FINE = 9  # columns of a bay from which a window has sills and bars


@dataclass(frozen=True)
class Facade:
    """A house front.

    Attributes:
        width: Metres.
        floors: Upper floors.
        floor: Height of each in metres.
        ground: Height of the ground floor in metres.
        bays: Windows a floor; 0 for a blind wall.
        wall: Colour.
        trim: Colour of frames, sills and cornices.
        material: brick, blocks, plaster or planks.
        window: Share of a bay's width and of a floor's height that a window takes.
        mullions: Upright bars a window.
        street_floor: shop, door, garage, or plain (as above).
        accent: Colour of doors and shop signs.
        lit: Share of lit windows.
        bands: Whether a stone band runs between floors.
        seed: What windows look like.
    """

    width: float
    floors: int
    floor: float
    ground: float
    bays: int
    wall: Points
    trim: Points
    material: str
    window: tuple[float, float]
    mullions: int
    street_floor: str
    accent: Points
    lit: float
    bands: bool
    seed: int

    @property
    def height(self) -> float:
        """Metres."""
        return self.ground + self.floors * self.floor + 0.5


class Cells(NamedTuple):
    """Pictures of a window (looks, h, w, 3), and where (h, w) they are not wall (255, else 0)."""

    looks: Pixels
    mask: Pixels


def fill_box(picture: Pixels, columns: tuple[int, int], rows: tuple[int, int], color: Any) -> None:
    """Fill from the first to the last column and row, both inclusive, what of it is inside."""
    (left, right), (top, bottom) = columns, rows
    value = [min(255, int(c)) for c in color]
    picture[max(0, top) : max(0, bottom + 1), max(0, left) : max(0, right + 1)] = value


def place_windows(picture: Pixels, cells: Cells, looks: Any) -> None:
    """Put windows on a wall (floors * h, bays * w, 3) by the looks (floors, bays) of each."""
    floors, bays = looks.shape
    sheet = cells.looks[looks].transpose(0, 2, 1, 3, 4).reshape(picture.shape)
    cv2.copyTo(sheet, np.tile(cells.mask, (floors, bays)), picture)


def window_cells(facade: Facade, size: tuple[int, int], looks: int) -> Cells:
    """One bay of one floor (h, w) in some looks."""
    height, width = size
    wide, high = facade.window
    left, right = round(width * (1 - wide) / 2), round(width * (1 + wide) / 2) - 1
    top = round(height * (0.9 - high) * 0.6 + height * 0.06)
    bottom = min(height - 1, top + round(height * high))
    frame, bar = max(1, width // 26), max(1, width // 52)
    cells = np.zeros((looks, height, width, 3), np.uint8)
    cells[:] = [min(255, int(c)) for c in facade.trim]
    mask = np.zeros((height, width), np.uint8)
    fill_box(mask, (left - frame, right + frame), (top - frame, bottom + frame), [255])
    fine = width > _FINE
    if fine:
        sill = (left - 2 * frame, right + 2 * frame), (bottom + 1, bottom + frame)
        fill_box(mask, *sill, [255])
    cross = top + (bottom - top) * 3 // 10
    for look in range(looks if right >= left and bottom >= top else 0):
        _glaze(cells[look, top : bottom + 1, left : right + 1], look)
        if facade.mullions and fine:
            for i in range(1, facade.mullions + 1):
                x = left + (right - left) * i // (facade.mullions + 1)
                fill_box(cells[look], (x, x + bar - 1), (top, bottom), facade.trim)
            fill_box(cells[look], (left, right), (cross, cross + bar - 1), facade.trim)
    return Cells(cells, mask)


def _glaze(pane: Pixels, look: int) -> None:
    """Fill a pane (h, w, 3) from its upper to its lower colour; blinds have an edge."""
    upper, lower = PANES[look]
    height, width = pane.shape[:2]
    if look == 3:
        edge = height * 9 // 20
        pane[:edge], pane[edge:] = upper, lower
        return
    for part in range(4):
        rows = slice(height * part // 4, height * (part + 1) // 4)
        pane[rows] = [a + (b - a) * part // 3 for a, b in zip(upper, lower, strict=True)]
    if look == 2 and width > 3:
        gap = max(1, width // 9)
        pane[:, (width - gap) // 2 : (width + gap) // 2 + 1] = (58, 62, 68)
