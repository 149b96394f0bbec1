"""Parts that vehicles have in common: wheels, lamps, number plates, panes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hierseg.streets.camera import Points
from hierseg.streets.canvas import Color
from hierseg.streets.solids import Body, Part, box, rotation
from hierseg.streets.stage import Shadow, Stage

CAR, TRUCK, BUS, CARAVAN, TRAILER, TRAIN, MOTORCYCLE, BICYCLE = 26, 27, 28, 29, 30, 31, 32, 33

GLASS = (74, 88, 100)
RUBBER = (26, 26, 28)
DARK = (34, 34, 37)
CHROME = (176, 178, 182)

_TURNS = np.linspace(0, 2 * np.pi, 14, endpoint=False)


@dataclass(frozen=True)
class Vehicle:
    """A body that stands somewhere.

    Attributes:
        body: What it looks like; the origin of its coordinates is the middle of its footprint.
        base: (3,) world point.
        heading: Radians from Z towards X.
        brightness: Less than 1 in a shadow.
    """

    body: Body
    base: Points
    heading: float
    brightness: float = 1.0

    @property
    def footprint(self) -> Points:
        """(4, 2) corners of its outline on the ground, in X and Z."""
        flat = np.insert(self.body.footprint, 1, 0.0, axis=1)
        return (flat @ rotation(self.heading).T + self.base)[:, [0, 2]]

    @property
    def extent(self) -> tuple[float, float]:
        """Metres by which it reaches beyond its outline, and its height above the road."""
        return self.body.extent

    @property
    def wall(self) -> float:
        """Height in metres up to which it hides what is behind it."""
        return 0.0

    @property
    def shadow(self) -> Shadow | None:
        """The shadow of the whole body."""
        return Shadow(self.footprint, 0.0, self.body.height) if self.body.height else None

    @property
    def shades(self) -> bool:
        """False: its shadow falls on the ground alone."""
        return False

    def paint(self, stage: Stage) -> None:
        """Paint it."""
        self.body.paint(stage, self.base, self.heading, self.brightness)

    def shadowed(self, brightness: float) -> Vehicle:
        """A copy in another light; 1 is full light."""
        return replace(self, brightness=brightness)


def draw_paint(rng: np.random.Generator, colors: tuple[Color, ...]) -> Any:
    """One of some colours (3,), a little lighter or darker."""
    return np.asarray(colors[rng.integers(len(colors))], float) * rng.uniform(0.92, 1.05)


def circle(x: float, y: float, radius: float) -> Points:
    """(14, 2) points of a circle in the side view."""
    return np.column_stack([x + radius * np.cos(_TURNS), y + radius * np.sin(_TURNS)])


def rectangle(x: tuple[float, float], y: tuple[float, float]) -> list[tuple[float, float]]:
    """The corners of a rectangle in the side view."""
    return [(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])]


def add_wheels(part: Part, axles: Any, radius: float, z: float, rim: Color) -> None:
    """Wheel arches and wheels on both sides of a body."""
    for x in axles:
        part.add_side(circle(x, radius, radius * 1.17), z, DARK)
        part.add_side(circle(x, radius, radius), z + 0.01, RUBBER)
        part.add_side(circle(x, radius, radius * 0.66), z + 0.02, rim)
        part.add_side(circle(x, radius, radius * 0.24), z + 0.03, np.asarray(rim) * 0.6)


def tyres(axles: Any, radius: float, z: float, width: float = 0.24) -> list[Part]:
    """What is seen of the wheels from before and behind, and the dark between them."""
    parts = [
        box((x - radius * 0.8, x + radius * 0.8), (0.0, radius * 1.5), span, RUBBER, layer=0)
        for x in axles
        for span in ((z - width, z), (-z, -z + width))
    ]
    under = (min(axles) - radius, max(axles) + radius)
    return [box(under, (0.16, radius * 1.3), (-z + 0.1, z - 0.1), (20, 20, 22), layer=0), *parts]


def add_lamps(
    part: Part, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], lit: bool
) -> None:
    """Red lamps at the rear end x[0] and white ones at the front end x[1]."""
    part.add_end(x[0], y, z, (214, 40, 34) if lit else (168, 26, 26), shines=lit, both=True)
    part.add_end(x[1], y, z, (255, 252, 228) if lit else (226, 230, 234), shines=lit, both=True)


def add_plates(part: Part, x: Sequence[float], y: float) -> None:
    """Number plates at both ends."""
    for end in x:
        part.add_end(end, (y, y + 0.12), (-0.26, 0.26), (222, 222, 214))
