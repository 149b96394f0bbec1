"""Traffic lights and traffic signs."""

from __future__ import annotations

import numpy as np

from hierseg.streets.camera import Points
from hierseg.streets.canvas import Color
from hierseg.streets.figures import limb
from hierseg.streets.furniture import POLE, disc, post
from hierseg.streets.solids import Body, Part, box
from hierseg.streets.stage import Item
from hierseg.streets.vehicles import Vehicle

LIGHT, SIGN = 19, 20


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
        limbs.append(
            limb([(0, height - 0.1, 0), (0, height + 0.05, arm)], [0.075, 0.06], color, POLE)
        )
    items: list[Item] = [post(limbs, base, facing, height)]
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
        part.add_end(
            0.345, (up - 0.1, up + 1.15), (aside - wide - 0.1, aside + wide + 0.1), (226, 226, 220)
        )
        part.add_end(
            0.35, (up - 0.05, up + 1.1), (aside - wide - 0.05, aside + wide + 0.05), (30, 32, 32)
        )
    colors = (
        ((255, 60, 44), (92, 30, 28)),
        ((255, 190, 50), (96, 72, 28)),
        ((60, 236, 140), (26, 74, 50)),
    )
    for index, (on, off) in enumerate(colors):
        middle = up + 0.85 - 0.33 * index
        lit = index == state
        part.add(disc(0.36, middle, aside, 0.135, 10), on if lit else off, shines=lit)
    return Body([part], LIGHT, (0.05, 0.3), 0.15, 0.0)


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
    return [post(limbs, base, facing, height), face]


def _add_sign_face(part: Part, kind: str, y: float, r: float) -> None:
    """What is painted on a sign, on planes one before the other."""

    def plate(color: Color, corners: int, radius: float, turn: float, step: int) -> None:
        part.add(disc(0.1 + 0.01 * step, y, 0, radius, corners, turn), color)

    def bar(color: Color, height: float, width: float, up: float = 0.0, aside: float = 0.0) -> None:
        part.add_end(
            0.14, (y + up - height, y + up + height), (aside - width, aside + width), color
        )

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
        part.add_end(
            0.11, (y - r * 0.56, y + r * 0.56), (-r * 1.24, r * 1.24), _BLUE if r > 0.9 else _YELLOW
        )
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
            bar(
                _WHITE,
                r * 0.16 if kind == "entry" else r * 0.5,
                r * 0.64 if kind == "entry" else r * 0.12,
            )
