"""Pictures of house fronts: floors of windows over shops, doors or garages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from hierseg.data.streets import surfaces
from hierseg.data.streets.camera import Points
from hierseg.data.streets.canvas import Color, Pixels

_FAR = 6.0  # pixels a metre below which fronts have fewer kinds of windows and no shop displays
_VARIANTS = 5  # looks of a window: dark, sky, drawn curtains, half a blind, lit


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


def draw_facade_picture(facade: Facade, scale: float) -> Pixels:
    """The front (h, w, 3) without light, at a number of pixels a metre."""
    rng = np.random.default_rng(facade.seed)
    variants = _VARIANTS if scale > _FAR else 2
    looks = rng.choice(_VARIANTS, (8, 24), p=_odds(facade.lit)) % variants
    bays = max(facade.bays, 1)
    bay = max(4, round(facade.width / bays * scale))
    floor, ground = max(4, round(facade.floor * scale)), max(5, round(facade.ground * scale))
    cornice = max(1, round(0.5 * scale))
    rows, columns = cornice + facade.floors * floor + ground, bays * bay
    picture = _wall(facade, (rows, columns), scale)
    if facade.bays:
        cells = _window_cells(facade, (floor, bay), variants)
        pick = looks[np.arange(facade.floors)[:, None] % 8, np.arange(bays)[None] % 24]
        sheet = cells[pick].transpose(0, 2, 1, 3, 4).reshape(facade.floors * floor, columns, 4)
        _overlay(picture[cornice : cornice + len(sheet)], sheet)
        _paint_street_floor(facade, picture[rows - ground :], bay, looks[7], rng, scale > _FAR)
    if facade.bands:
        for row in range(cornice, rows - ground + 1, floor):
            cv2.rectangle(picture, (0, row - max(1, floor // 22)), (columns, row), _int(facade.trim), -1)
    cv2.rectangle(picture, (0, 0), (columns, max(0, cornice - 1)), _int(facade.trim * 0.94), -1)
    cv2.rectangle(picture, (0, cornice), (columns, cornice + max(0, cornice // 4)), _int(facade.wall * 0.55), -1)
    return picture


def _odds(lit: float) -> list[float]:
    rest = 1 - lit
    return [0.34 * rest, 0.26 * rest, 0.22 * rest, 0.18 * rest, lit]


def _int(color: Any) -> tuple[int, int, int]:
    red, green, blue = color
    return min(255, int(red)), min(255, int(green)), min(255, int(blue))


def _wall(facade: Facade, shape: tuple[int, int], scale: float) -> Pixels:
    textures = {
        "brick": surfaces.brick, "blocks": surfaces.blocks, "plaster": surfaces.plaster,
        "planks": surfaces.planks,
    }  # fmt: skip
    picture = np.empty((*shape, 3), np.uint8)
    picture[:] = _int(facade.wall)
    per_metre = surfaces.TILE / surfaces.TILE_METRES
    offset = (facade.seed % 509, facade.seed % 503)
    grain = surfaces.sample(textures[facade.material](), scale / per_metre, offset, shape)
    return surfaces.texture(picture, grain, min(1.0, scale / 14))


def _overlay(picture: Pixels, sheet: Pixels) -> None:
    """Copy a sheet (h, w, 4) on a picture (h, w, 3) where its fourth channel is not 0."""
    cv2.copyTo(np.ascontiguousarray(sheet[..., :3]), np.ascontiguousarray(sheet[..., 3]), picture)


def _window_cells(facade: Facade, size: tuple[int, int], looks: int) -> Pixels:
    """One bay of one floor in some looks (looks, h, w, 4), transparent around the window."""
    height, width = size
    cell = np.zeros((height, width, 4), np.uint8)
    wide, high = facade.window
    left, right = round(width * (1 - wide) / 2), round(width * (1 + wide) / 2) - 1
    top = round(height * (0.9 - high) * 0.6 + height * 0.06)
    bottom = min(height - 1, top + round(height * high))
    frame, trim = max(1, width // 26), (*_int(facade.trim), 255)
    cv2.rectangle(cell, (left - frame, top - frame), (right + frame, bottom + frame), trim, -1)
    if width > 9:
        sill = (*_int(facade.trim * 0.86), 255)
        cv2.rectangle(cell, (left - 2 * frame, bottom + 1), (right + 2 * frame, bottom + frame), sill, -1)
    cells = np.repeat(cell[None], looks, axis=0)
    if right < left or bottom < top:
        return cells
    for look in range(looks):
        _glaze(cells[look, top : bottom + 1, left : right + 1, :3], look)
    bar = max(1, frame // 2)
    for i in range(1, facade.mullions + 1 if width > 9 else 1):
        x = left + (right - left) * i // (facade.mullions + 1)
        cells[:, top : bottom + 1, x : x + bar] = trim
    if facade.mullions and high > 0.4 and width > 9:
        y = top + (bottom - top) * 3 // 10
        cells[:, y : y + bar, left : right + 1] = trim
    return cells


_PANES: tuple[tuple[Color, Color], ...] = (
    ((62, 70, 80), (40, 46, 54)), ((142, 164, 186), (74, 88, 104)), ((196, 190, 178), (150, 146, 138)),
    ((178, 176, 168), (52, 60, 68)), ((255, 226, 160), (244, 188, 108)),
)  # fmt: skip


def _glaze(pane: Pixels, look: int) -> None:
    """Fill a pane (h, w, 3) from its upper to its lower colour; blinds and curtains have an edge."""
    upper, lower = _PANES[look]
    height, width = pane.shape[:2]
    if look == 3:
        pane[: height * 9 // 20], pane[height * 9 // 20 :] = upper, lower
        return
    for part in range(4):
        rows = slice(height * part // 4, height * (part + 1) // 4)
        pane[rows] = [a + (b - a) * part // 3 for a, b in zip(upper, lower, strict=True)]
    if look == 2 and width > 3:
        gap = max(1, width // 9)
        pane[:, (width - gap) // 2 : (width + gap) // 2 + 1] = (58, 62, 68)


def _paint_street_floor(
    facade: Facade, picture: Pixels, bay: int, looks: Any, rng: np.random.Generator,
    detailed: bool,
) -> None:  # fmt: skip
    """Shops, doors and garages in the lowest rows of a front."""
    height, width = picture.shape[:2]
    bays = width // bay
    doors = {int(rng.integers(bays)), int(rng.integers(bays))}
    sign = _int(facade.accent)
    plain: list[int] = []
    for i in range(bays):
        left, right = i * bay + bay // 10, (i + 1) * bay - bay // 10
        if facade.street_floor == "plain" or (facade.street_floor == "door" and i not in doors):
            plain.append(i)
        elif facade.street_floor == "garage":
            cv2.rectangle(picture, (left, height * 3 // 10), (right, height), _int(facade.trim * 0.8), -1)
            for row in range(height * 3 // 10, height, max(2, height // 8)):
                cv2.line(picture, (left, row), (right, row), _int(facade.trim * 0.6), 1)
        elif i in doors:
            middle, half = (left + right) // 2, max(1, bay // 5)
            cv2.rectangle(picture, (middle - half - 1, height * 24 // 100), (middle + half + 1, height), _int(facade.trim), -1)
            cv2.rectangle(picture, (middle - half, height * 26 // 100), (middle + half, height), sign, -1)
            cv2.rectangle(picture, (middle - half // 2, height * 32 // 100), (middle + half // 2, height * 55 // 100), (52, 60, 68), -1)
        else:
            _paint_shop(facade, picture, (left, right), looks[i % len(looks)] if detailed else -1)
    if plain:
        cells = _window_cells(facade, (height, bay), _VARIANTS)
        for i in plain:
            _overlay(picture[:, i * bay : (i + 1) * bay], cells[looks[i % len(looks)]])
    if facade.street_floor == "shop":
        _paint_shop_sign(picture, sign, rng)


def _paint_shop(facade: Facade, picture: Pixels, span: tuple[int, int], look: int) -> None:
    height = picture.shape[0]
    left, right = span
    top, bottom = height * 30 // 100, height * 90 // 100
    cv2.rectangle(picture, (left - 1, top - 1), (right + 1, height), _int(facade.trim * 0.7), -1)
    pane = (250, 224, 170) if facade.lit > 0.2 or look == 4 else (70, 80, 88)
    cv2.rectangle(picture, (left, top), (right, bottom), pane, -1)
    reflection = np.array([[left, bottom], [left + (right - left) // 3, bottom], [right, top], [left + (right - left) // 2, top]])
    cv2.fillConvexPoly(picture, reflection, tuple(min(255, c + 26) for c in pane))
    for i in range(1, 6 if look >= 0 else 1):
        x = left + (right - left) * i // 6
        tall = (i * 7 + look * 5) % 4 + 1
        goods = _int(facade.accent * (0.5 + 0.15 * tall))
        cv2.rectangle(picture, (x - 1, bottom - (bottom - top) * tall // 9), (x + max(1, (right - left) // 14), bottom), goods, -1)


def _paint_shop_sign(picture: Pixels, color: tuple[int, int, int], rng: np.random.Generator) -> None:
    """The band above the windows, with something like letters."""
    height, width = picture.shape[:2]
    top, bottom = height * 8 // 100, height * 24 // 100
    cv2.rectangle(picture, (0, top), (width, bottom), color, -1)
    ink = (240, 240, 236) if sum(color) < 420 else (40, 40, 44)
    begin = int(width * rng.uniform(0.08, 0.3))
    size = max(1, (bottom - top) // 2)
    for i, wide in enumerate(rng.uniform(0.4, 1.0, int(rng.integers(5, 12)))):
        x = begin + i * (size + max(1, size // 3))
        if x + size < width * 0.95:
            cv2.rectangle(picture, (x, top + size // 2), (x + int(size * wide), bottom - size // 2), ink, -1)
