"""What houses look like: styles, materials and colours that suit a street."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from hierseg.streets.buildings import Building
from hierseg.streets.camera import Points
from hierseg.streets.windows import Facade

WALL_COLORS: dict[str, tuple[Any, ...]] = {
    "brick": ((158, 88, 70), (176, 112, 86), (134, 76, 64), (186, 150, 116), (120, 92, 84)),
    "blocks": ((186, 176, 156), (168, 164, 156), (200, 188, 160), (146, 142, 138)),
    "plaster": (
        (214, 204, 182), (222, 216, 204), (206, 186, 140), (196, 160, 132), (176, 184, 186),
        (224, 196, 160), (168, 182, 160), (204, 168, 160), (160, 164, 172),
    ),
    "planks": ((150, 154, 158), (128, 140, 150), (176, 170, 158), (120, 112, 104), (150, 108, 84)),
}  # fmt: skip
"""Colours of walls by material."""

_TILES = ((150, 78, 58), (128, 70, 56), (92, 88, 88), (112, 98, 88), (74, 78, 86))
_ACCENTS = (
    (150, 34, 40), (32, 74, 130), (36, 96, 66), (206, 150, 40), (60, 60, 66), (120, 60, 110),
    (200, 96, 44),
)  # fmt: skip


class Style(NamedTuple):
    """What houses of a kind have in common.

    Attributes:
        materials: Of their walls.
        floors: Fewest and most upper floors.
        bay: Metres from window to window.
        window: Share of a bay's width and of a floor's height that a window takes.
        street_floor: What the ground floor is where it is no shop (see Facade).
        shops: Whether it may be a shop.
    """

    materials: tuple[str, ...]
    floors: tuple[int, int]
    bay: float
    window: tuple[float, float]
    street_floor: str
    shops: bool


_STYLES = {
    "terrace": Style(("brick", "plaster", "blocks"), (2, 5), 2.6, (0.44, 0.58), "door", True),
    "block": Style(("plaster", "plaster", "brick"), (3, 8), 3.0, (0.52, 0.50), "door", True),
    "office": Style(("blocks", "plaster"), (2, 8), 2.1, (0.84, 0.62), "plain", True),
    "house": Style(("plaster", "brick", "plaster"), (1, 2), 2.9, (0.46, 0.50), "door", False),
    "hall": Style(("planks", "blocks", "brick"), (0, 2), 4.2, (0.60, 0.36), "garage", False),
}
_BUILT = {
    "city": ("terrace", "block", "office"),
    "suburb": ("house",),
    "park": ("terrace", "house", "block"),
    "works": ("hall", "office", "hall"),
}


def draw_facade(rng: np.random.Generator, character: str, width: float, lit: bool) -> Facade:
    """A house front of a width in metres that suits a street."""
    built = _BUILT[character]
    style = _STYLES[built[rng.integers(len(built))]]
    material = style.materials[rng.integers(len(style.materials))]
    palette = WALL_COLORS[material]
    shop = style.shops and rng.random() < (0.6 if character == "city" else 0.2)
    tall = shop or style.street_floor == "garage"
    pale = rng.random() < 0.65
    wide, high = style.window
    trim = np.array([226.0, 224, 218] if pale else [92.0, 84, 78])
    return Facade(
        width=width,
        floors=int(rng.integers(style.floors[0], style.floors[1] + 1)),
        floor=float(rng.uniform(2.7, 3.3)),
        ground=float(rng.uniform(3.4, 4.4) if tall else rng.uniform(2.7, 3.2)),
        bays=max(2, round(width / (style.bay * rng.uniform(0.85, 1.2)))),
        wall=np.asarray(palette[rng.integers(len(palette))], float) * rng.uniform(0.85, 1.1),
        trim=trim * (rng.uniform(0.8, 1.0) if pale else rng.uniform(0.7, 1.3)),
        material=material,
        window=(wide * rng.uniform(0.85, 1.12), high * rng.uniform(0.9, 1.15)),
        mullions=int(rng.integers(0, 3)),
        street_floor="shop" if shop else style.street_floor,
        accent=np.asarray(_ACCENTS[rng.integers(len(_ACCENTS))], float),
        lit=float(rng.uniform(0.25, 0.5) if lit else rng.uniform(0, 0.04)),
        bands=bool(rng.random() < 0.4),
        seed=int(rng.integers(1 << 30)),
    )


def draw_building(
    rng: np.random.Generator, corners: Points, character: str, lit: bool, corner_house: bool
) -> Building:
    """A building on four corners (see Building); a corner house has windows on its end, too."""
    width = float(np.linalg.norm(corners[1] - corners[0]))
    depth = float(np.linalg.norm(corners[3] - corners[0]))
    front = draw_facade(rng, character, width, lit)
    bays = max(1, round(depth / 3.2)) if corner_house or rng.random() < 0.35 else 0
    end = _end_of(front, depth, bays, int(rng.integers(1 << 30)))
    roof = "flat"
    if character == "suburb" or (front.floors <= 4 and character != "works" and rng.random() < 0.5):
        roof = "gable" if rng.random() < 0.75 else "mansard"
    rise = rng.uniform(0.26, 0.42) * depth if roof == "gable" else rng.uniform(2.0, 3.0)
    return Building(
        corners=corners,
        front=front,
        end=end,
        roof=roof,
        rise=float(rise) if roof != "flat" else 0.0,
        tiles=np.asarray(_TILES[rng.integers(len(_TILES))], float) * rng.uniform(0.85, 1.1),
        chimneys=tuple(rng.uniform(0.15, 0.85, int(rng.integers(0, 3))).tolist()),
        balconies=_draw_balconies(rng, front),
    )


def _draw_balconies(rng: np.random.Generator, front: Facade) -> Points:
    """(n, 3) place, height and width of balconies (see Building), in columns over all floors."""
    if front.street_floor == "garage" or front.floors < 3 or rng.random() > 0.4:
        return np.zeros((0, 3))
    columns = rng.choice([0.2, 0.5, 0.8], int(rng.integers(1, 4)), replace=False)
    heights = front.ground + np.arange(front.floors) * front.floor + 0.05
    place, height = np.meshgrid(columns, heights)
    return np.column_stack([place.ravel(), height.ravel(), np.full(place.size, 2.3)])


def _end_of(front: Facade, width: float, bays: int, seed: int) -> Facade:
    """The wall beside a front."""
    plain = front.street_floor in ("shop", "door")
    return replace(
        front,
        width=width,
        bays=bays,
        wall=front.wall * 0.97,
        street_floor="plain" if plain else front.street_floor,
        bands=False,
        seed=seed,
    )
