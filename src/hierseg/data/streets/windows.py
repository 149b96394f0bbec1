"""Pictures of windows, and how rectangles are painted into pictures of fronts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from hierseg.data.streets.canvas import Color, Pixels

if TYPE_CHECKING:
    from hierseg.data.streets.facades import Facade

LOOKS = 5
"""Looks of a window: dark, sky, drawn curtains, half a blind, lit."""

PANES: tuple[tuple[Color, Color], ...] = (
    ((62, 70, 80), (40, 46, 54)), ((142, 164, 186), (74, 88, 104)), ((196, 190, 178), (150, 146, 138)),
    ((178, 176, 168), (52, 60, 68)), ((255, 226, 160), (244, 188, 108)),
)  # fmt: skip
"""The upper and the lower colour of each look."""

_FINE = 9  # columns of a bay from which a window has sills and bars


def fill_box(picture: Pixels, columns: tuple[int, int], rows: tuple[int, int], color: Any) -> None:
    """Fill from the first to the last column and row, both inclusive, what of it is inside."""
    (left, right), (top, bottom) = columns, rows
    value = [min(255, int(c)) for c in color]
    picture[max(0, top) : max(0, bottom + 1), max(0, left) : max(0, right + 1)] = value


def overlay(picture: Pixels, sheet: Pixels) -> None:
    """Copy a sheet (h, w, 4) on a picture (h, w, 3) where its fourth channel is not 0."""
    cv2.copyTo(np.ascontiguousarray(sheet[..., :3]), np.ascontiguousarray(sheet[..., 3]), picture)


def window_cells(facade: Facade, size: tuple[int, int], looks: int) -> Pixels:
    """One bay of one floor in some looks (looks, h, w, 4), transparent around the window."""
    height, width = size
    cell = np.zeros((height, width, 4), np.uint8)
    wide, high = facade.window
    left, right = round(width * (1 - wide) / 2), round(width * (1 + wide) / 2) - 1
    top = round(height * (0.9 - high) * 0.6 + height * 0.06)
    bottom = min(height - 1, top + round(height * high))
    frame, trim = max(1, width // 26), (*facade.trim, 255)
    fill_box(cell, (left - frame, right + frame), (top - frame, bottom + frame), trim)
    if width > _FINE:
        sill = (*(facade.trim * 0.86), 255)
        fill_box(cell, (left - 2 * frame, right + 2 * frame), (bottom + 1, bottom + frame), sill)
    cells: Pixels = np.repeat(cell[None], looks, axis=0)
    if right < left or bottom < top:
        return cells
    bar = max(1, frame // 2)
    cross = top + (bottom - top) * 3 // 10
    for look in range(looks):
        _glaze(cells[look, top : bottom + 1, left : right + 1, :3], look)
        if facade.mullions and width > _FINE:
            for i in range(1, facade.mullions + 1):
                x = left + (right - left) * i // (facade.mullions + 1)
                fill_box(cells[look], (x, x + bar - 1), (top, bottom), trim)
            fill_box(cells[look], (left, right), (cross, cross + bar - 1), trim)
    return cells


def _glaze(pane: Pixels, look: int) -> None:
    """Fill a pane (h, w, 3) from its upper to its lower colour; blinds and curtains have an edge."""
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
