"""Street furniture: lamp posts, traffic lights, signs, bollards, bins, benches and other clutter."""

from __future__ import annotations

from typing import Any

import numpy as np

from hierseg.data.streets.camera import Points
from hierseg.data.streets.canvas import Color
from hierseg.data.streets.figures import Figure, Limb, limb
from hierseg.data.streets.solids import Body, Part, box, extrude
from hierseg.data.streets.stage import Item
from hierseg.data.streets.vehicles import Vehicle

STATIC, DYNAMIC, POLE, LIGHT, SIGN = 4, 5, 17, 19, 20

_POSTS: tuple[Color, ...] = ((88, 92, 94), (122, 126, 128), (62, 70, 66), (140, 140, 138), (52, 54, 58))


def draw_post_color(rng: np.random.Generator) -> Any:
    """The paint of a street's posts."""
    return np.asarray(_POSTS[rng.integers(len(_POSTS))], float) * rng.uniform(0.9, 1.15)


def _post(limbs: list[Limb], base: Points, heading: float, height: float) -> Figure:
    return Figure(limbs, (), base, heading, (0.12, 0.12), height, sorted_by_distance=False)


def lamp_post(base: Points, toward_road: float, height: float, reach: float, color: Color, lit: bool) -> Figure:
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
        limb([tip - (0.1, 0.02, 0), tip + (0.5, 0.02, 0)], [0.11, 0.09], lamp, POLE, lit),
    ]
    return _post(limbs, base, toward_road, height)


def bollard(base: Points, color: Color) -> Figure:
    """A short post at the kerb."""
    bands = [
        limb([(0, 0.0, 0), (0, 0.95, 0)], 0.08, color, POLE),
        limb([(0, 0.7, 0), (0, 0.95, 0)], 0.08, (214, 212, 206), POLE),
        limb([(0, 0.86, 0), (0, 0.97, 0)], 0.08, color, POLE),
    ]
    return _post(bands, base, 0.0, 1.0)


def plain_post(base: Points, height: float, radius: float, color: Color) -> Figure:
    """A mast, as for overhead wires."""
    return _post([limb([(0, 0, 0), (0, height, 0)], [radius, radius * 0.8], color, POLE)], base, 0.0, height)


def traffic_light(
    rng: np.random.Generator, base: Points, facing: float, color: Color, arm: float
) -> list[Item]:
    """A signal on a post; with an arm, a second one over the road.

    Args:
        rng: Which lamp is lit.
        base: (3,) world point.
        facing: Heading in radians that its lamps look to.
        color: Of the post.
        arm: Metres to the right (as seen from the lamps' side: negative is left), 0 for none.
    """
    height = 5.6 if arm else 3.3
    limbs = [limb([(0, 0, 0), (0, height, 0)], [0.1, 0.08], color, POLE)]
    if arm:
        limbs.append(limb([(0, height - 0.1, 0), (0, height + 0.05, arm)], [0.075, 0.06], color, POLE))
    items: list[Item] = [_post(limbs, base, facing, height)]
    state = int(rng.choice(3, p=[0.45, 0.1, 0.45]))
    board = bool(rng.random() < 0.4)
    places = [(2.35, 0.0)]
    if arm:
        places.append((4.75, arm * 0.92))
    for up, aside in places:
        items.append(Vehicle(_signal_head(up, aside, state, board), base, facing))
    return items


def _signal_head(up: float, aside: float, state: int, board: bool) -> Body:
    """Three lamps in a housing at a height and a place aside."""
    wide = 0.2
    part = box((0.08, 0.34), (up, up + 1.05), (aside - wide, aside + wide), (38, 42, 40))
    if board:
        part.add_end(0.345, (up - 0.1, up + 1.15), (aside - wide - 0.1, aside + wide + 0.1), (226, 226, 220))
        part.add_end(0.35, (up - 0.05, up + 1.1), (aside - wide - 0.05, aside + wide + 0.05), (30, 32, 32))
    colors = (((255, 60, 44), (92, 30, 28)), ((255, 190, 50), (96, 72, 28)), ((60, 236, 140), (26, 74, 50)))
    for index, (on, off) in enumerate(colors):
        middle = up + 0.85 - 0.33 * index
        lit = index == state
        disc = _disc(0.36, middle, aside, 0.135, 10)
        part.add(disc, on if lit else off, shines=lit)
    return Body([part], LIGHT, (0.05, 0.3), 0.15, 0.0)


def _disc(x: float, y: float, z: float, radius: float, corners: int, turn: float = 0.0) -> Points:
    """A regular polygon (corners, 3) that looks forward."""
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + turn
    return np.column_stack([np.full(corners, x), y + radius * np.sin(angles), z + radius * np.cos(angles)])


_RED, _WHITE, _BLUE, _YELLOW = (196, 28, 34), (238, 238, 234), (24, 76, 158), (246, 200, 32)
_ROUND = 14

SIGNS = ("speed", "warning", "stop", "yield", "blue", "entry", "parking", "direction", "priority")


def sign(kind: str, base: Points, facing: float, color: Color, size: float) -> list[Item]:
    """A sign on a post.

    Args:
        kind: One of SIGNS.
        base: (3,) world point.
        facing: Heading in radians that it looks to.
        color: Of the post.
        size: Radius in metres of a round one.
    """
    big = kind == "direction"
    middle = 2.75 if big else 2.2 + size
    height = middle + size
    posts = [(0, 0, -0.7 * size), (0, 0, 0.7 * size)] if big else [(0, 0, 0)]
    limbs = [limb([foot, np.add(foot, (0, height, 0))], 0.065, color, POLE) for foot in posts]
    part = Part((-1.0, middle, 0.0))
    _add_sign_face(part, kind, middle, size)
    face = Vehicle(Body([part], SIGN, (0.06, 0.16), 0.1, 0.0), base, facing)
    return [_post(limbs, base, facing, height), face]


def _add_sign_face(part: Part, kind: str, y: float, r: float) -> None:
    """What is painted on a sign, on planes one before the other."""

    def plate(color: Color, corners: int, radius: float, turn: float, step: int) -> None:
        part.add(_disc(0.1 + 0.01 * step, y, 0, radius, corners, turn), color)

    def bar(color: Color, height: float, width: float, up: float = 0.0, aside: float = 0.0) -> None:
        part.add_end(0.14, (y + up - height, y + up + height), (aside - width, aside + width), color)

    up, down = np.pi / 2, -np.pi / 2
    if kind in ("warning", "yield"):
        turn = up if kind == "warning" else down
        plate(_RED, 3, r * 1.25, turn, 0)
        plate(_WHITE, 3, r * 0.86, turn, 1)
        if kind == "warning":
            bar((30, 30, 32), r * 0.26, r * 0.09)
    elif kind == "stop":
        plate(_WHITE, 8, r * 1.06, np.pi / 8, 0)
        plate(_RED, 8, r * 0.98, np.pi / 8, 1)
        bar(_WHITE, r * 0.16, r * 0.62)
    elif kind == "priority":
        plate(_WHITE, 4, r * 1.15, 0, 0)
        plate(_YELLOW, 4, r * 0.82, 0, 1)
    elif kind == "parking":
        plate(_BLUE, 4, r * 1.25, np.pi / 4, 0)
        bar(_WHITE, r * 0.5, r * 0.1, 0.0, -r * 0.2)
        bar(_WHITE, r * 0.26, r * 0.24, r * 0.24, r * 0.08)
    elif kind == "direction":
        part.add_end(0.1, (y - r * 0.62, y + r * 0.62), (-r * 1.3, r * 1.3), _WHITE)
        part.add_end(0.11, (y - r * 0.56, y + r * 0.56), (-r * 1.24, r * 1.24), _BLUE if r > 0.9 else _YELLOW)
        ink = _WHITE if r > 0.9 else (30, 30, 32)
        for row in (-0.28, 0.08):
            bar(ink, r * 0.07, r * 0.7, row * r, -r * 0.25)
        bar(ink, r * 0.3, r * 0.07, 0.0, r * 0.85)
    else:
        plate(_BLUE if kind == "blue" else _RED, _ROUND, r, 0, 0)
        if kind == "speed":
            plate(_WHITE, _ROUND, r * 0.76, 0, 1)
            bar((30, 30, 32), r * 0.32, r * 0.1, 0, -r * 0.24)
            bar((30, 30, 32), r * 0.32, r * 0.1, 0, r * 0.24)
        else:
            bar(_WHITE, r * 0.16 if kind == "entry" else r * 0.5, r * 0.64 if kind == "entry" else r * 0.12)


def _prism(y: tuple[float, float], radius: float, color: Color) -> Part:
    """An upright column of twelve sides."""
    foot = _disc(0, 0, 0, radius, 12)[:, [1, 0, 2]]
    low, high = foot + (0, y[0], 0), foot + (0, y[1], 0)
    part = Part((0.0, sum(y) / 2, 0.0))
    for i in range(12):
        part.add([low[i - 1], low[i], high[i], high[i - 1]], color)
    part.add(high, color)
    return part


def draw_clutter(rng: np.random.Generator, base: Points, heading: float) -> Item:
    """A bin, a bench, a box, a column of posters; or something that somebody left or pushes along."""
    kind = rng.choice(["bin", "bench", "box", "column", "skip", "bag"], p=[0.28, 0.2, 0.18, 0.1, 0.1, 0.14])
    tone = rng.uniform(0.8, 1.2)
    if kind == "bin":
        part = box((-0.3, 0.3), (0.05, 1.05), (-0.28, 0.28), np.array([[70, 96, 74], [60, 62, 66], [64, 84, 120]][rng.integers(3)]) * tone)
        return Vehicle(Body([part], STATIC, (-0.3, 0.3), 0.28, 1.05), base, heading)
    if kind == "bench":
        wood = np.array([128, 92, 62]) * tone
        parts = [box((-0.25, 0.2), (0.4, 0.48), (-0.8, 0.8), wood), box((-0.3, -0.22), (0.5, 0.9), (-0.8, 0.8), wood * 0.92)]
        parts += [box((-0.22, 0.18), (0, 0.4), (z - 0.05, z + 0.05), (60, 60, 62), layer=0) for z in (-0.65, 0.65)]
        return Vehicle(Body(parts, STATIC, (-0.3, 0.3), 0.8, 0.9), base, heading)
    if kind == "column":
        parts = [
            _prism((0, 2.5), 0.55, np.array([196, 178, 140]) * tone),
            _prism((2.5, 2.75), 0.65, np.array([82, 100, 88])),
        ]
        posters = (206, 120, 90), (110, 140, 176), (226, 220, 200), (180, 90, 110)
        for i, z in enumerate((-0.34, -0.02, 0.3)):
            parts[0].add([(0.6, 0.7, z - 0.14), (0.6, 0.7, z + 0.14), (0.6, 1.9, z + 0.14), (0.6, 1.9, z - 0.14)], posters[i])
        return Vehicle(Body(parts, STATIC, (-0.5, 0.5), 0.5, 2.75), base, heading)
    if kind == "skip":
        paint = np.array([[196, 150, 50], [84, 110, 140]][rng.integers(2)]) * tone
        part = extrude([(-0.5, 0.08), (0.5, 0.08), (0.8, 1.15), (-0.8, 1.15)], 1.5, paint)
        for z in (-1.0, 0.0, 1.0):
            part.add([(0.52, 0.1, z), (0.52, 0.1, z + 0.1), (0.8, 1.1, z + 0.1), (0.8, 1.1, z)], paint * 0.75)
        part.add([(-0.7, 1.16, -1.4), (0.7, 1.16, -1.4), (0.7, 1.16, 1.4), (-0.7, 1.16, 1.4)], (92, 84, 74))
        return Vehicle(Body([part], STATIC, (-0.8, 0.8), 1.5, 1.15), base, heading)
    if kind == "bag":
        limbs = [limb([(0, 0.25, -0.12), (0, 0.25, 0.12), (0, 0.6, 0)], 0.2, np.array([70, 60, 90]) * tone, DYNAMIC)]
        return Figure(limbs, (), base, heading, (0.25, 0.25), 0.7)
    part = box((-0.25, 0.25), (0.0, 1.3), (-0.5, 0.5), np.array([150, 152, 146]) * tone)
    part.add_end(0.26, (0.1, 1.2), (-0.42, 0.42), np.array([136, 138, 132]) * tone)
    return Vehicle(Body([part], STATIC, (-0.25, 0.25), 0.5, 1.3), base, heading)
