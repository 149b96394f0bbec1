"""Street furniture: lamp posts, traffic lights, signs, bollards, bins, benches and other clutter."""

from __future__ import annotations

from typing import Any

import numpy as np

from hierseg.data.streets.camera import Points
from hierseg.data.streets.canvas import Color
from hierseg.data.streets.figures import Figure, Limb, limb
from hierseg.data.streets.solids import Body, Part, box, extrude, vector
from hierseg.data.streets.stage import Item
from hierseg.data.streets.vehicles import Vehicle

STATIC, DYNAMIC, POLE, LIGHT, SIGN = 4, 5, 17, 19, 20

_POSTS: tuple[Color, ...] = (
    (88, 92, 94),
    (122, 126, 128),
    (62, 70, 66),
    (140, 140, 138),
    (52, 54, 58),
)


def draw_post_color(rng: np.random.Generator) -> Any:
    """The paint of a street's posts."""
    return np.asarray(_POSTS[rng.integers(len(_POSTS))], float) * rng.uniform(0.9, 1.15)


def post(limbs: list[Limb], base: Points, heading: float, height: float) -> Figure:
    """Limbs one above the other, painted in their order."""
    return Figure(limbs, (), base, heading, (0.12, 0.12), height, sorted_by_distance=False)


def lamp_post(
    base: Points, toward_road: float, height: float, reach: float, color: Color, lit: bool
) -> Figure:
    """A street lamp whose arm reaches over the road.

    Args:
        base: (3,) world point.
        toward_road: Heading in radians of the arm.
        height: Metres.
        reach: Metres of the arm.
        color: Of the post.
        lit: Whether it shines.
    """
    tip = np.array([reach, height - 0.02, 0])
    lamp = (255, 236, 190) if lit else np.asarray(color) * 0.9
    limbs = [
        limb([(0, 0, 0), (0, 1.1, 0)], 0.13, color, POLE),
        limb([(0, 1.0, 0), (0, height - 0.3, 0)], [0.095, 0.075], color, POLE),
        limb([(0, height - 0.35, 0), tip], [0.07, 0.055], color, POLE),
        limb(
            [tip - vector(0.1, 0.02, 0), tip + vector(0.5, 0.02, 0)], [0.11, 0.09], lamp, POLE, lit
        ),
    ]
    return post(limbs, base, toward_road, height)


def bollard(base: Points, color: Color) -> Figure:
    """A short post at the kerb."""
    bands = [
        limb([(0, 0.0, 0), (0, 0.95, 0)], 0.08, color, POLE),
        limb([(0, 0.7, 0), (0, 0.95, 0)], 0.08, (214, 212, 206), POLE),
        limb([(0, 0.86, 0), (0, 0.97, 0)], 0.08, color, POLE),
    ]
    return post(bands, base, 0.0, 1.0)


def plain_post(base: Points, height: float, radius: float, color: Color) -> Figure:
    """A mast, as for overhead wires."""
    return post(
        [limb([(0, 0, 0), (0, height, 0)], [radius, radius * 0.8], color, POLE)], base, 0.0, height
    )


def disc(x: float, y: float, z: float, radius: float, corners: int, turn: float = 0.0) -> Points:
    """A regular polygon (corners, 3) that looks forward."""
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + turn
    return np.column_stack(
        [np.full(corners, x), y + radius * np.sin(angles), z + radius * np.cos(angles)]
    )


def _prism(y: tuple[float, float], radius: float, color: Color) -> Part:
    """An upright column of twelve sides."""
    foot = disc(0, 0, 0, radius, 12)[:, [1, 0, 2]]
    low, high = foot + vector(0, y[0], 0), foot + vector(0, y[1], 0)
    part = Part((0.0, sum(y) / 2, 0.0))
    for i in range(12):
        part.add([low[i - 1], low[i], high[i], high[i - 1]], color)
    part.add(high, color)
    return part


def draw_clutter(rng: np.random.Generator, base: Points, heading: float) -> Item:
    """A bin, a bench, a box, a column of posters; or something that somebody left or pushes along."""
    kind = rng.choice(
        ["bin", "bench", "box", "column", "skip", "bag"], p=[0.28, 0.2, 0.18, 0.1, 0.1, 0.14]
    )
    tone = rng.uniform(0.8, 1.2)
    if kind == "bin":
        part = box(
            (-0.3, 0.3),
            (0.05, 1.05),
            (-0.28, 0.28),
            np.array([[70, 96, 74], [60, 62, 66], [64, 84, 120]][rng.integers(3)]) * tone,
        )
        return Vehicle(Body([part], STATIC, (-0.3, 0.3), 0.28, 1.05), base, heading)
    if kind == "bench":
        wood = np.array([128, 92, 62]) * tone
        parts = [
            box((-0.25, 0.2), (0.4, 0.48), (-0.8, 0.8), wood),
            box((-0.3, -0.22), (0.5, 0.9), (-0.8, 0.8), wood * 0.92),
        ]
        parts += [
            box((-0.22, 0.18), (0, 0.4), (z - 0.05, z + 0.05), (60, 60, 62), layer=0)
            for z in (-0.65, 0.65)
        ]
        return Vehicle(Body(parts, STATIC, (-0.3, 0.3), 0.8, 0.9), base, heading)
    if kind == "column":
        parts = [
            _prism((0, 2.5), 0.55, np.array([196, 178, 140]) * tone),
            _prism((2.5, 2.75), 0.65, np.array([82, 100, 88])),
        ]
        posters = (206, 120, 90), (110, 140, 176), (226, 220, 200), (180, 90, 110)
        for i, z in enumerate((-0.34, -0.02, 0.3)):
            parts[0].add(
                [
                    (0.6, 0.7, z - 0.14),
                    (0.6, 0.7, z + 0.14),
                    (0.6, 1.9, z + 0.14),
                    (0.6, 1.9, z - 0.14),
                ],
                posters[i],
            )
        return Vehicle(Body(parts, STATIC, (-0.5, 0.5), 0.5, 2.75), base, heading)
    if kind == "skip":
        paint = np.array([[196, 150, 50], [84, 110, 140]][rng.integers(2)]) * tone
        part = extrude([(-0.5, 0.08), (0.5, 0.08), (0.8, 1.15), (-0.8, 1.15)], 1.5, paint)
        for z in (-1.0, 0.0, 1.0):
            part.add(
                [(0.52, 0.1, z), (0.52, 0.1, z + 0.1), (0.8, 1.1, z + 0.1), (0.8, 1.1, z)],
                paint * 0.75,
            )
        part.add(
            [(-0.7, 1.16, -1.4), (0.7, 1.16, -1.4), (0.7, 1.16, 1.4), (-0.7, 1.16, 1.4)],
            (92, 84, 74),
        )
        return Vehicle(Body([part], STATIC, (-0.8, 0.8), 1.5, 1.15), base, heading)
    if kind == "bag":
        limbs = [
            limb(
                [(0, 0.25, -0.12), (0, 0.25, 0.12), (0, 0.6, 0)],
                0.2,
                np.array([70, 60, 90]) * tone,
                DYNAMIC,
            )
        ]
        return Figure(limbs, (), base, heading, (0.25, 0.25), 0.7)
    part = box((-0.25, 0.25), (0.0, 1.3), (-0.5, 0.5), np.array([150, 152, 146]) * tone)
    part.add_end(0.26, (0.1, 1.2), (-0.42, 0.42), np.array([136, 138, 132]) * tone)
    return Vehicle(Body([part], STATIC, (-0.25, 0.25), 0.5, 1.3), base, heading)
