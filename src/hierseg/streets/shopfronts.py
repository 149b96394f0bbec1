"""The ground floor of a front: shops, doors, garages."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from hierseg.streets.canvas import Pixels
from hierseg.streets.windows import LOOKS, Facade, fill_box, place_windows, window_cells

_GLASS, _DARK_GLASS = (70, 80, 88), (52, 60, 68)


def paint_street_floor(
    facade: Facade, picture: Pixels, looks: Any, rng: np.random.Generator, detailed: bool
) -> None:
    """Paint the lowest rows (h, w, 3) of a front.

    Args:
        facade: The front.
        picture: Its lowest rows.
        looks: Which look each window has, by bay.
        rng: Where doors are.
        detailed: Whether displays in shop windows can be seen.
    """
    height, width = picture.shape[:2]
    bays = max(facade.bays, 1)
    bay = width // bays
    doors = {int(rng.integers(bays)), int(rng.integers(bays))}
    windows: list[int] = []
    for i in range(bays):
        span = i * bay + bay // 10, (i + 1) * bay - bay // 10
        if facade.street_floor == "plain" or (facade.street_floor == "door" and i not in doors):
            windows.append(i)
        elif facade.street_floor == "garage":
            _paint_garage(facade, picture, span)
        elif i in doors:
            _paint_door(facade, picture, span)
        else:
            _paint_shop(facade, picture, span, int(looks[i % len(looks)]), detailed)
    if windows:
        cells = window_cells(facade, (height, bay), LOOKS)
        for i in windows:
            look = np.array([[looks[i % len(looks)]]])
            place_windows(picture[:, i * bay : (i + 1) * bay], cells, look)
    if facade.street_floor == "shop":
        _paint_shop_sign(facade, picture, rng)


def _paint_garage(facade: Facade, picture: Pixels, span: tuple[int, int]) -> None:
    height = picture.shape[0]
    top = height * 3 // 10
    fill_box(picture, span, (top, height), facade.trim * 0.8)
    for row in range(top, height, max(2, height // 8)):
        fill_box(picture, span, (row, row), facade.trim * 0.6)


def _paint_door(facade: Facade, picture: Pixels, span: tuple[int, int]) -> None:
    height = picture.shape[0]
    middle, half = sum(span) // 2, max(1, (span[1] - span[0]) // 4)
    frame = (middle - half - 1, middle + half + 1)
    fill_box(picture, frame, (height * 24 // 100, height), facade.trim)
    fill_box(picture, (middle - half, middle + half), (height * 26 // 100, height), facade.accent)
    pane = (middle - half // 2, middle + half // 2)
    fill_box(picture, pane, (height * 32 // 100, height * 55 // 100), _DARK_GLASS)


def _paint_shop(
    facade: Facade, picture: Pixels, span: tuple[int, int], look: int, detailed: bool
) -> None:
    """A shop window, with something like goods in it."""
    height = picture.shape[0]
    left, right = span
    top, bottom = height * 30 // 100, height * 90 // 100
    fill_box(picture, (left - 1, right + 1), (top - 1, height), facade.trim * 0.7)
    pane = (250, 224, 170) if facade.lit > 0.2 or look == 4 else _GLASS
    fill_box(picture, span, (top, bottom), pane)
    if not detailed:
        return
    third, half = left + (right - left) // 3, left + (right - left) // 2
    gleam = np.array([[left, bottom], [third, bottom], [right, top], [half, top]])
    cv2.fillConvexPoly(picture, gleam, tuple(min(255, c + 26) for c in pane))
    for i in range(1, 6):
        x = left + (right - left) * i // 6
        tall = (i * 7 + look * 5) % 4 + 1
        columns = (x - 1, x + max(1, (right - left) // 14))
        rows = (bottom - (bottom - top) * tall // 9, bottom)
        fill_box(picture, columns, rows, facade.accent * (0.5 + 0.15 * tall))


def _paint_shop_sign(facade: Facade, picture: Pixels, rng: np.random.Generator) -> None:
    """The band above the windows, with something like letters."""
    height, width = picture.shape[:2]
    top, bottom = height * 8 // 100, height * 24 // 100
    fill_box(picture, (0, width), (top, bottom), facade.accent)
    ink = (240, 240, 236) if facade.accent.sum() < 420 else (40, 40, 44)
    begin = int(width * rng.uniform(0.08, 0.3))
    size = max(1, (bottom - top) // 2)
    rows = (top + size // 2, bottom - size // 2)
    for i, wide in enumerate(rng.uniform(0.4, 1.0, int(rng.integers(5, 12)))):
        x = begin + i * (size + max(1, size // 3))
        if x + size < width * 0.95:
            fill_box(picture, (x, x + int(size * wide)), rows, ink)
