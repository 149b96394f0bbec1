"""What a street is paved with, and how it is marked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hierseg.streets.camera import Points
from hierseg.streets.canvas import Color
from hierseg.streets.street import Street


@dataclass(frozen=True)
class Paving:
    """Colours of a street's surfaces, and how it is marked.

    Attributes:
        asphalt: Of the road.
        pavement: Of the pavements.
        grass: Of verges and lots.
        bare: Of lots without grass.
        marking: Of lines.
        cycle: Of cycle lanes.
        bays: Of parking strips; they count as parking where ``bays_are_parking``.
        bays_are_parking: Whether they are paved apart from the road.
        cobbled: Whether the road is.
        dashed: Metres of a dash between lanes; 0 for streets without a centre line.
        patches: (n, 4) along, across, length, width of mended places.
        green_lots: Whether lots are grass where nothing stands on them.
    """

    asphalt: Color
    pavement: Color
    grass: Color
    bare: Color
    marking: Color
    cycle: Color
    bays: Color
    bays_are_parking: bool
    cobbled: bool
    dashed: float
    patches: Points
    green_lots: bool


def draw_paving(rng: np.random.Generator, street: Street) -> Paving:
    """Colours and markings that suit a street."""
    grey = rng.uniform(90, 140)
    asphalt = grey + rng.normal(0, 3, 3) + (0, 0, 4)
    light = rng.uniform(128, 182)
    warm = np.array([8, 2, -8]) * rng.uniform(-0.5, 2.2)
    grass = np.array([rng.uniform(92, 150), rng.uniform(128, 158), rng.uniform(58, 80)])
    count = int(rng.integers(0, 6))
    patches = np.column_stack(
        [
            rng.uniform(4, 40, count), rng.uniform(-6, 6, count),
            rng.uniform(0.6, 4, count), rng.uniform(0.5, 1.6, count),
        ]
    )  # fmt: skip
    cycle = [asphalt * 1.04, np.array([150, 78, 66.0]), np.array([88, 122, 92.0])]
    return Paving(
        asphalt=asphalt,
        pavement=light + warm + rng.normal(0, 2, 3),
        grass=grass,
        bare=np.array([150, 138, 120]) * rng.uniform(0.8, 1.1),
        marking=np.array([232, 232, 226]) * rng.uniform(0.86, 1.02),
        cycle=cycle[rng.choice(3, p=[0.5, 0.35, 0.15])],
        bays=asphalt + rng.uniform(8, 34),
        bays_are_parking=bool(rng.random() < 0.45),
        cobbled=bool(rng.random() < 0.12),
        dashed=float(rng.uniform(2, 4)) if rng.random() < 0.86 else 0.0,
        patches=patches,
        green_lots=street.character in ("suburb", "park") or bool(rng.random() < 0.3),
    )
