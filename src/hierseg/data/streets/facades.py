"""Pictures of house fronts: floors of windows over shops, doors or garages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hierseg.data.streets import surfaces
from hierseg.data.streets.camera import Points
from hierseg.data.streets.canvas import Pixels
from hierseg.data.streets.shopfronts import paint_street_floor
from hierseg.data.streets.windows import LOOKS, fill_box, overlay, window_cells

_FAR = 6.0  # pixels a metre below which fronts have fewer kinds of windows and no shop displays


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
    variants = LOOKS if scale > _FAR else 2
    looks = rng.choice(LOOKS, (8, 24), p=_odds(facade.lit)) % variants
    bays = max(facade.bays, 1)
    bay = max(4, round(facade.width / bays * scale))
    floor, ground = max(4, round(facade.floor * scale)), max(5, round(facade.ground * scale))
    cornice = max(1, round(0.5 * scale))
    rows, columns = cornice + facade.floors * floor + ground, bays * bay
    picture = _wall(facade, (rows, columns), scale)
    if facade.bays:
        cells = window_cells(facade, (floor, bay), variants)
        pick = looks[np.arange(facade.floors)[:, None] % 8, np.arange(bays)[None] % 24]
        sheet = cells[pick].transpose(0, 2, 1, 3, 4).reshape(facade.floors * floor, columns, 4)
        overlay(picture[cornice : cornice + len(sheet)], sheet)
        paint_street_floor(facade, picture[rows - ground :], looks[7], rng, scale > _FAR)
    whole = (0, columns)
    if facade.bands:
        for row in range(cornice, rows - ground + 1, floor):
            fill_box(picture, whole, (row - max(1, floor // 22), row), facade.trim)
    fill_box(picture, whole, (0, cornice - 1), facade.trim * 0.94)
    fill_box(picture, whole, (cornice, cornice + cornice // 4), facade.wall * 0.55)
    return picture


def _odds(lit: float) -> list[float]:
    """How likely each look of a window is."""
    rest = 1 - lit
    return [0.34 * rest, 0.26 * rest, 0.22 * rest, 0.18 * rest, lit]


def _wall(facade: Facade, shape: tuple[int, int], scale: float) -> Pixels:
    textures = {
        "brick": surfaces.brick, "blocks": surfaces.blocks, "plaster": surfaces.plaster,
        "planks": surfaces.planks,
    }  # fmt: skip
    picture = np.empty((*shape, 3), np.uint8)
    picture[:] = np.clip(facade.wall, 0, 255)
    per_metre = surfaces.TILE / surfaces.TILE_METRES
    offset = (facade.seed % 509, facade.seed % 503)
    grain = surfaces.sample(textures[facade.material](), scale / per_metre, offset, shape)
    return surfaces.texture(picture, grain, min(1.0, scale / 14))
