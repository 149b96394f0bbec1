"""Street furniture: lamp posts, bollards, masts, bins, benches and other clutter."""

from __future__ import annotations

from typing import Any

import numpy as np

from hierseg.streets.camera import Points
from hierseg.streets.canvas import Color
from hierseg.streets.figures import Figure, Limb, limb
from hierseg.streets.solids import Body, Part, box, extrude, vector
from hierseg.streets.stage import Item
from hierseg.streets.vehicles import Vehicle

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
    reach = max(float(np.abs(part.centers[:, [0, 2]]).max()) for part in limbs) + 0.2
    return Figure(limbs, (), base, heading, (0.12, 0.12), height, False, reach)


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
    """A bin, a bench, a cabinet, a column of posters, a skip; or a bag that somebody left."""
    kinds = (_bin, _bench, _cabinet, _column, _skip)
    tone = rng.uniform(0.8, 1.2)
    if rng.random() < 0.14:
        sack = limb([(0, 0.25, -0.12), (0, 0.25, 0.12), (0, 0.6, 0)], 0.2, _BAG * tone, DYNAMIC)
        return Figure([sack], (), base, heading, (0.25, 0.25), 0.7)
    kind = kinds[rng.choice(len(kinds), p=[0.34, 0.24, 0.2, 0.12, 0.1])]
    return Vehicle(kind(tone, int(rng.integers(3))), base, heading)


_BAG = np.array([70.0, 60, 90])
_BINS = ((70, 96, 74), (60, 62, 66), (64, 84, 120))
_SKIPS = ((196, 150, 50), (84, 110, 140), (120, 122, 124))
_POSTERS = ((206, 120, 90), (110, 140, 176), (226, 220, 200))


def _bin(tone: float, variant: int) -> Body:
    part = box((-0.3, 0.3), (0.05, 1.05), (-0.28, 0.28), np.array(_BINS[variant]) * tone)
    part.add_end(0.31, (0.82, 0.9), (-0.28, 0.28), (40, 40, 42))
    return Body([part], STATIC, (-0.3, 0.3), 0.28, 1.05)


def _bench(tone: float, variant: int) -> Body:
    wood = np.array([128, 92, 62]) * tone
    seat = box((-0.25, 0.2), (0.4, 0.48), (-0.8, 0.8), wood)
    back = box((-0.3, -0.22), (0.5, 0.9), (-0.8, 0.8), wood * (0.92 - 0.1 * variant))
    legs = [
        box((-0.22, 0.18), (0, 0.4), (z - 0.05, z + 0.05), (60, 60, 62), layer=0)
        for z in (-0.65, 0.65)
    ]
    return Body([seat, back, *legs], STATIC, (-0.3, 0.3), 0.8, 0.9)


def _cabinet(tone: float, variant: int) -> Body:
    grey = np.array([150, 152, 146]) * tone * (1 - 0.15 * variant)
    part = box((-0.25, 0.25), (0.0, 1.3), (-0.5, 0.5), grey)
    part.add_end(0.26, (0.1, 1.2), (-0.42, 0.42), grey * 0.9)
    return Body([part], STATIC, (-0.25, 0.25), 0.5, 1.3)


def _column(tone: float, variant: int) -> Body:
    drum = _prism((0, 2.5), 0.55, np.array([196, 178, 140]) * tone)
    for i, z in enumerate((-0.34, -0.02, 0.3)):
        color = _POSTERS[(i + variant) % len(_POSTERS)]
        drum.add_end(0.6, (0.7, 1.9), (z - 0.14, z + 0.14), color)
    top = _prism((2.5, 2.75), 0.65, (82, 100, 88))
    return Body([drum, top], STATIC, (-0.5, 0.5), 0.5, 2.75)


def _skip(tone: float, variant: int) -> Body:
    paint = np.array(_SKIPS[variant]) * tone
    part = extrude([(-0.5, 0.08), (0.5, 0.08), (0.8, 1.15), (-0.8, 1.15)], 1.5, paint)
    for z in (-1.0, 0.0, 1.0):
        rib = [(0.52, 0.1, z), (0.52, 0.1, z + 0.1), (0.8, 1.1, z + 0.1), (0.8, 1.1, z)]
        part.add(rib, paint * 0.75)
    load = [(-0.7, 1.16, -1.4), (0.7, 1.16, -1.4), (0.7, 1.16, 1.4), (-0.7, 1.16, 1.4)]
    part.add(load, (92, 84, 74))
    return Body([part], STATIC, (-0.8, 0.8), 1.5, 1.15)
