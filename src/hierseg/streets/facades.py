"""Pictures of house fronts: floors of windows over shops, doors or garages."""

from __future__ import annotations

import numpy as np

from hierseg.streets import surfaces
from hierseg.streets.camera import Points
from hierseg.streets.canvas import Pixels
from hierseg.streets.shopfronts import paint_street_floor
from hierseg.streets.windows import LOOKS, Facade, fill_box, place_windows, window_cells

_FAR = 6.0  # pixels a metre below which fronts have fewer kinds of windows and no shop displays


def draw_facade_picture(facade: Facade, scale: tuple[float, float]) -> Pixels:
    """The front (h, w, 3) without light, at a number of pixels a metre across and down."""
    across, down = scale
    detailed = min(scale) > _FAR
    rng = np.random.default_rng(facade.seed)
    variants = LOOKS if detailed else 2
    looks = np.searchsorted(_odds(facade.lit), rng.random((8, 24)), side="right") % variants
    bays = max(facade.bays, 1)
    bay = max(4, round(facade.width / bays * across))
    floor, ground = max(4, round(facade.floor * down)), max(5, round(facade.ground * down))
    cornice = max(1, round(0.5 * down))
    rows, columns = cornice + facade.floors * floor + ground, bays * bay
    picture = _wall(facade, (rows, columns), scale)
    if facade.bays:
        place_windows(
            picture[cornice : cornice + facade.floors * floor],
            window_cells(facade, (floor, bay), variants),
            looks[np.arange(facade.floors)[:, None] % 8, np.arange(bays)[None] % 24],
        )
        paint_street_floor(facade, picture[rows - ground :], looks[7], rng, detailed)
    whole = (0, columns)
    if facade.bands:
        for row in range(cornice, rows - ground + 1, floor):
            fill_box(picture, whole, (row - max(1, floor // 22), row), facade.trim)
    fill_box(picture, whole, (0, cornice - 1), facade.trim * 0.94)
    fill_box(picture, whole, (cornice, cornice + cornice // 4), facade.wall * 0.55)
    return picture


def _odds(lit: float) -> Points:
    """Where in 0..1 the share of one look of a window ends and the next begins."""
    return np.cumsum([0.34, 0.26, 0.22, 0.18]) * (1 - lit)


def _wall(facade: Facade, shape: tuple[int, int], scale: tuple[float, float]) -> Pixels:
    textures = {
        "brick": surfaces.brick, "blocks": surfaces.blocks, "plaster": surfaces.plaster,
        "planks": surfaces.planks,
    }  # fmt: skip
    offset = (facade.seed % 509, facade.seed % 503)
    grain = surfaces.sample(textures[facade.material](), scale, offset, shape)
    return surfaces.colored(grain, facade.wall, min(1.0, min(scale) / 14))
