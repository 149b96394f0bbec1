"""What people wear, and how they are built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hierseg.streets.canvas import Color

_SKINS: tuple[Color, ...] = (
    (224, 184, 156), (206, 160, 128), (164, 116, 84), (110, 76, 56), (84, 58, 44),
)  # fmt: skip
_HAIRS: tuple[Color, ...] = (
    (40, 30, 24), (74, 52, 36), (24, 22, 22), (150, 116, 70), (170, 168, 164),
)  # fmt: skip
_TOPS: tuple[Color, ...] = (
    (36, 38, 44), (60, 62, 70), (30, 44, 82), (148, 36, 38), (196, 190, 180), (226, 224, 220),
    (66, 92, 60), (190, 140, 50), (112, 70, 110), (78, 116, 156), (206, 96, 52), (122, 98, 76),
    (232, 206, 70), (196, 90, 130), (44, 120, 116),
)  # fmt: skip
_BOTTOMS: tuple[Color, ...] = (
    (34, 36, 44), (44, 56, 88), (62, 76, 106), (90, 80, 70), (26, 26, 28), (140, 128, 106),
    (84, 86, 92), (190, 184, 172),
)  # fmt: skip
_HELMETS: tuple[Color, ...] = (
    (230, 230, 228), (30, 30, 32), (188, 40, 36), (44, 92, 170), (226, 196, 40),
)  # fmt: skip


@dataclass(frozen=True)
class Looks:
    """Clothes and build.

    Attributes:
        tall: Metres.
        stout: Factor for the thickness of limbs.
        skin: Colour.
        hair: Colour.
        top: Colour.
        bottom: Colour.
        shoes: Colour.
        long_sleeves: Whether arms are clothed.
        dress: none, skirt or coat.
        bag: none, back or hand.
        bag_color: Colour.
        hat: Colour of a hat or helmet, or None.
    """

    tall: float
    stout: float
    skin: Color
    hair: Color
    top: Color
    bottom: Color
    shoes: Color
    long_sleeves: bool
    dress: str
    bag: str
    bag_color: Color
    hat: Color | None


def draw_looks(rng: np.random.Generator, child: bool = False, helmet: bool = False) -> Looks:
    """Anybody; a helmet is for who rides."""

    def pick(colors: tuple[Color, ...]) -> Any:
        return np.asarray(colors[rng.integers(len(colors))], float) * rng.uniform(0.88, 1.08)

    return Looks(
        tall=float(rng.uniform(1.05, 1.4) if child else np.clip(rng.normal(1.73, 0.08), 1.5, 1.95)),
        stout=float(rng.uniform(1.02, 1.34)),
        skin=pick(_SKINS),
        hair=pick(_HAIRS),
        top=pick(_TOPS),
        bottom=pick(_BOTTOMS),
        shoes=pick(_BOTTOMS[:5]),
        long_sleeves=bool(rng.random() < 0.65),
        dress=str(rng.choice(["none", "skirt", "coat"], p=[0.68, 0.16, 0.16])),
        bag=str(rng.choice(["none", "back", "hand"], p=[0.5, 0.3, 0.2])),
        bag_color=pick(_TOPS),
        hat=pick(_HELMETS) if helmet else (pick(_TOPS) if rng.random() < 0.15 else None),
    )
