"""Bicycles and motorcycles, parked or ridden."""

from __future__ import annotations

from typing import Any

import numpy as np

from hierseg.streets.camera import Points
from hierseg.streets.clothing import draw_looks
from hierseg.streets.figures import Figure, Limb, Wheel, limb
from hierseg.streets.people import seated
from hierseg.streets.solids import vector
from hierseg.streets.vehicles import BICYCLE, DARK, MOTORCYCLE

_FRAMES = (
    (30, 30, 34), (176, 34, 34), (38, 78, 150), (216, 216, 212), (54, 122, 76), (222, 150, 40),
    (110, 116, 122),
)  # fmt: skip


def draw_bicycle(rng: np.random.Generator, base: Points, heading: float, ridden: bool) -> Figure:
    """A bicycle at a world point; ``ridden`` puts a rider on it."""
    paint = np.asarray(_FRAMES[rng.integers(len(_FRAMES))], float) * rng.uniform(0.9, 1.1)
    radius = rng.uniform(0.33, 0.36)
    rear, front = np.array([-0.53, radius, 0]), np.array([0.55, radius, 0])
    wheels = [
        Wheel(center, radius - 0.03, 0.062, (96, 98, 102), BICYCLE, 0.42)
        for center in (rear, front)
    ]
    pedal, saddle = np.array([-0.08, 0.29, 0]), np.array([-0.22, 0.92, 0])
    head, stem = np.array([0.36, 0.86, 0]), np.array([0.33, 1.06, 0])
    limbs = _tubes(
        paint,
        [
            (rear, pedal),
            (pedal, head),
            (saddle, pedal),
            (rear, saddle * 0.98),
            (saddle, head),
            (front, stem),
        ],
    )
    limbs.append(
        limb([saddle + vector(-0.1, 0.02, 0), saddle + vector(0.1, 0.02, 0)], 0.05, DARK, BICYCLE)
    )
    grip = stem + vector(-0.04, 0.02, 0.26)
    limbs.append(limb([grip, grip * (1, 1, -1)], 0.026, DARK, BICYCLE))
    if rng.random() < 0.4:
        basket = stem + vector(0.18, -0.1, 0)
        limbs.append(
            limb(
                [basket + vector(0, 0, 0.1), basket - vector(0, 0, 0.1)],
                0.12,
                paint * 0.6 + 40,
                BICYCLE,
            )
        )
    if rng.random() < 0.6:
        limbs.append(
            limb([rear + vector(-0.2, 0.36, 0), rear + vector(0.22, 0.38, 0)], 0.035, DARK, BICYCLE)
        )
    height = 1.05
    if ridden:
        looks = draw_looks(rng, helmet=rng.random() < 0.5)
        limbs += seated(looks, saddle, grip, 0.29, rng.uniform(0, 2 * np.pi))
        height = 1.75
    return Figure(limbs, wheels, base, heading, (0.88, 0.3), height)


def _tubes(paint: Any, ends: list[tuple[Points, Points]]) -> list[Limb]:
    return [limb(list(pair), 0.028, paint, BICYCLE) for pair in ends]


def draw_motorcycle(
    rng: np.random.Generator, base: Points, heading: float, ridden: bool, lit: bool
) -> Figure:
    """A motorcycle or a scooter at a world point; ``ridden`` puts a rider on it."""
    paint = np.asarray(_FRAMES[rng.integers(len(_FRAMES))], float) * rng.uniform(0.9, 1.1)
    scooter = rng.random() < 0.4
    radius = 0.24 if scooter else 0.32
    rear, front = np.array([-0.66, radius, 0]), np.array([0.70, radius, 0])
    wheels = [
        Wheel(center, radius - 0.05, 0.14, (70, 72, 76), MOTORCYCLE, 0.9)
        for center in (rear, front)
    ]
    limbs = _scooter(paint, front) if scooter else _motorcycle(paint, front)
    limbs.append(
        limb(
            [rear + vector(-0.12, radius + 0.04, 0), rear + vector(0.1, radius + 0.1, 0)],
            0.07,
            paint * 0.8,
            MOTORCYCLE,
        )
    )
    limbs.append(
        limb(
            [front + vector(-0.1, radius + 0.03, 0), front + vector(0.14, radius - 0.02, 0)],
            0.06,
            paint,
            MOTORCYCLE,
        )
    )
    grip = np.array([0.32, 1.0, 0.32])
    limbs.append(limb([grip, grip * (1, 1, -1)], 0.03, DARK, MOTORCYCLE))
    lamp = np.array([0.56, 0.9, 0])
    limbs.append(
        limb([lamp], 0.1, (255, 250, 226) if lit or ridden else (206, 210, 212), MOTORCYCLE, ridden)
    )
    limbs.append(limb([np.array([-0.86, 0.68, 0])], 0.07, (190, 34, 30), MOTORCYCLE))
    if rng.random() < 0.35:
        limbs.append(
            limb([(-0.72, 0.98, 0.1), (-0.72, 0.98, -0.1)], 0.17, (46, 46, 50), MOTORCYCLE)
        )
    height = 1.15
    if ridden:
        looks = draw_looks(rng, helmet=True)
        limbs += seated(looks, np.array([-0.22, 0.78, 0]), grip, 0.3, 0.35)
        height = 1.65
    return Figure(limbs, wheels, base, heading, (1.05, 0.38), height)


def _motorcycle(paint: Any, front: Points) -> list[Limb]:
    return [
        limb(
            [(-0.2, 0.42, 0.08), (0.22, 0.42, 0.08), (-0.2, 0.42, -0.08), (0.22, 0.42, -0.08)],
            0.17,
            (66, 68, 72),
            MOTORCYCLE,
        ),
        limb([(-0.6, 0.38, 0.16), (-0.1, 0.34, 0.16)], 0.055, (172, 174, 178), MOTORCYCLE),
        limb([front + vector(0, 0, 0.08), (0.42, 0.92, 0.08)], 0.04, (120, 122, 126), MOTORCYCLE),
        limb([front + vector(0, 0, -0.08), (0.42, 0.92, -0.08)], 0.04, (120, 122, 126), MOTORCYCLE),
        limb([(-0.02, 0.76, 0), (0.3, 0.82, 0)], [0.14, 0.17], paint, MOTORCYCLE),
        limb([(-0.7, 0.8, 0), (-0.1, 0.76, 0)], [0.09, 0.11], DARK, MOTORCYCLE),
        limb([(0.42, 0.72, 0), (0.52, 0.96, 0)], [0.12, 0.13], paint * 0.92, MOTORCYCLE),
    ]


def _scooter(paint: Any, front: Points) -> list[Limb]:
    return [
        limb([(-0.7, 0.52, 0), (-0.15, 0.5, 0)], [0.2, 0.19], paint, MOTORCYCLE),
        limb([(-0.2, 0.26, 0), (0.36, 0.26, 0)], 0.1, paint * 0.8, MOTORCYCLE),
        limb(
            [(0.4, 0.3, 0.12), (0.4, 0.3, -0.12), (0.44, 0.92, 0.1), (0.44, 0.92, -0.1)],
            0.07,
            paint,
            MOTORCYCLE,
        ),
        limb([front, (0.46, 0.8, 0)], 0.05, (110, 112, 116), MOTORCYCLE),
        limb([(-0.66, 0.76, 0), (-0.08, 0.74, 0)], 0.08, DARK, MOTORCYCLE),
    ]
