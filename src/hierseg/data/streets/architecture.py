"""What houses look like: styles, materials and colours that suit a street."""

from __future__ import annotations

from typing import Any

import numpy as np

from hierseg.data.streets.buildings import Building
from hierseg.data.streets.camera import Points
from hierseg.data.streets.facades import Facade

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
    (150, 34, 40),
    (32, 74, 130),
    (36, 96, 66),
    (206, 150, 40),
    (60, 60, 66),
    (120, 60, 110),
    (200, 96, 44),
)


def draw_facade(rng: np.random.Generator, character: str, width: float, lit: bool) -> Facade:
    """A house front that suits a street."""
    kind = {
        "city": ["terrace", "block", "office"], "suburb": ["house"], "park": ["terrace", "house", "block"],
        "works": ["hall", "office", "hall"],
    }[character]  # fmt: skip
    style = kind[rng.integers(len(kind))]
    materials = {
        "terrace": ["brick", "plaster", "blocks"], "block": ["plaster", "plaster", "brick"],
        "office": ["blocks", "plaster"], "house": ["plaster", "brick", "plaster"], "hall": ["planks", "blocks", "brick"],
    }[style]  # fmt: skip
    material = materials[rng.integers(len(materials))]
    palette = WALL_COLORS[material]
    floors = {
        "terrace": (2, 5),
        "block": (3, 8),
        "office": (2, 8),
        "house": (1, 2),
        "hall": (0, 2),
    }[style]
    bay = {"terrace": 2.6, "block": 3.0, "office": 2.1, "house": 2.9, "hall": 4.2}[style]
    window = {
        "terrace": (0.44, 0.58), "block": (0.52, 0.5), "office": (0.84, 0.62), "house": (0.46, 0.5), "hall": (0.6, 0.36),
    }[style]  # fmt: skip
    shops = rng.random() < (0.6 if character == "city" else 0.2)
    plain = {"house": "door", "hall": "garage", "office": "plain"}.get(style, "door")
    white = np.array([226.0, 224, 218])
    return Facade(
        width=width,
        floors=int(rng.integers(floors[0], floors[1] + 1)),
        floor=float(rng.uniform(2.7, 3.3)),
        ground=float(rng.uniform(3.4, 4.4) if shops or style == "hall" else rng.uniform(2.7, 3.2)),
        bays=max(2, round(width / (bay * rng.uniform(0.85, 1.2)))),
        wall=np.asarray(palette[rng.integers(len(palette))], float) * rng.uniform(0.85, 1.1),
        trim=white * rng.uniform(0.8, 1.0)
        if rng.random() < 0.65
        else np.array([92.0, 84, 78]) * rng.uniform(0.7, 1.3),
        material=material,
        window=(window[0] * rng.uniform(0.85, 1.12), window[1] * rng.uniform(0.9, 1.15)),
        mullions=int(rng.integers(0, 3)),
        street_floor="shop" if shops and style in ("terrace", "block", "office") else plain,
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
    balconies = np.zeros((0, 3))
    if front.street_floor != "garage" and front.floors >= 3 and rng.random() < 0.4:
        columns = rng.choice([0.2, 0.5, 0.8], int(rng.integers(1, 4)), replace=False)
        balconies = np.array(
            [
                (c, front.ground + f * front.floor + 0.05, 2.3)
                for f in range(front.floors)
                for c in columns
            ]
        )
    return Building(
        corners=corners,
        front=front,
        end=end,
        roof=roof,
        rise=float(rise) if roof != "flat" else 0.0,
        tiles=np.asarray(_TILES[rng.integers(len(_TILES))], float) * rng.uniform(0.85, 1.1),
        chimneys=tuple(rng.uniform(0.15, 0.85, int(rng.integers(0, 3))).tolist()),
        balconies=balconies,
    )


def _end_of(front: Facade, width: float, bays: int, seed: int) -> Facade:
    floor = "plain" if front.street_floor in ("shop", "door") else front.street_floor
    return Facade(
        width, front.floors, front.floor, front.ground, bays, front.wall * 0.97, front.trim, front.material,
        front.window, front.mullions, floor, front.accent, front.lit, False, seed,
    )  # fmt: skip
