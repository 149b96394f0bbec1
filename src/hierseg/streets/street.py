"""The plan of a street: its course, its cross-section, and where another street crosses it.

Places are given along the street (``s`` metres ahead of the camera) and across it (``t`` metres
right of the centre line). ``Side`` describes one half of the cross-section, ``sign`` +1 right,
-1 left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hierseg.streets.camera import Points

KERB = 0.13
"""Height of the pavement above the road, metres."""


@dataclass(frozen=True)
class Side:
    """Widths in metres of the strips from the centre line outwards.

    Attributes:
        sign: +1 right, -1 left.
        inner: Half the central reservation.
        lanes: Number of lanes of traffic.
        lane: Width of each.
        cycle: Cycle lane on the road.
        parking: Parking strip.
        verge: Grass between kerb and pavement.
        pavement: Pavement.
    """

    sign: int
    inner: float
    lanes: int
    lane: float
    cycle: float
    parking: float
    verge: float
    pavement: float

    @property
    def traffic(self) -> float:
        """Where the lanes end."""
        return self.inner + self.lanes * self.lane

    @property
    def strip(self) -> float:
        """Where the parking strip begins."""
        return self.traffic + self.cycle

    @property
    def kerb(self) -> float:
        """Where the road ends."""
        return self.strip + self.parking

    @property
    def walk(self) -> float:
        """Where the pavement begins."""
        return self.kerb + self.verge

    @property
    def lot(self) -> float:
        """Where the pavement ends and the lots begin."""
        return self.walk + self.pavement

    def lane_center(self, index: int) -> float:
        """The middle of a lane, counted from the centre line, as a signed place across."""
        return self.sign * (self.inner + (index + 0.5) * self.lane)


@dataclass(frozen=True)
class Junction:
    """Where a street crosses: along ``start`` to ``stop``, open to the left and or the right."""

    start: float
    stop: float
    left: bool
    right: bool

    def opens(self, sign: int) -> bool:
        """Whether the crossing street leads to this side."""
        return self.right if sign > 0 else self.left


@dataclass(frozen=True)
class Street:
    """The plan of a scene.

    Attributes:
        character: city, suburb, park or works: what is built along it.
        curvature: 1 / radius in 1 / metres, positive to the right.
        length: Metres that are drawn.
        right: Its right half.
        left: Its left half.
        reservation: What lies between the two directions: none, grass, rails (a tram's own bed).
        rails: Whether tram tracks lie in the road or in the reservation.
        junction: The crossing street, if any.
        zebra: Where a crossing for people on foot lies, if any.
    """

    character: str
    curvature: float
    length: float
    right: Side
    left: Side
    reservation: str
    rails: bool
    junction: Junction | None
    zebra: float | None

    @property
    def sides(self) -> tuple[Side, Side]:
        """Right and left."""
        return self.right, self.left

    def heading(self, along: float) -> float:
        """Radians by which the street has turned to the right."""
        return self.curvature * along

    def to_world(self, along: Any, across: Any, up: Any = 0.0) -> Points:
        """World points (..., 3) of places along and across, at heights in metres."""
        s, t, y = np.broadcast_arrays(
            np.asarray(along, float), np.asarray(across, float), np.asarray(up, float)
        )
        if self.curvature == 0:
            return np.stack([t, y, s], axis=-1)
        turn = self.curvature * s
        bent = np.abs(turn) > 1e-6
        safe = np.where(bent, turn, 1.0)
        x = s * np.where(bent, (1 - np.cos(safe)) / safe, turn / 2)
        z = s * np.where(bent, np.sin(safe) / safe, 1.0)
        return np.stack([x + t * np.cos(turn), y, z - t * np.sin(turn)], axis=-1)

    def from_world(self, x: float, z: float) -> tuple[float, float]:
        """Metres along and across of a point on the ground: the inverse of ``to_world``."""
        if self.curvature == 0:
            return z, x
        sign = np.sign(self.curvature)
        aside = 1 / self.curvature - x
        turn = float(np.arctan2(sign * z, sign * aside))
        across = 1 / self.curvature - sign * float(np.hypot(aside, z))
        return turn / self.curvature, float(across)

    def strip(
        self, start: float, stop: float, inner: float, outer: float, up: float = 0.0
    ) -> Points:
        """A polygon (k, 3) between two places along and two across, bent as the street is."""
        count = 2 if self.curvature == 0 else int(np.clip((stop - start) / 4, 2, 40))
        s = np.linspace(start, stop, count)
        edge = np.concatenate([s, s[::-1]])
        side = np.repeat([inner, outer], count)
        return self.to_world(edge, side, up)

    def gaps(self, sign: int) -> list[tuple[float, float]]:
        """Stretches along a side that no crossing street interrupts, from behind the camera on."""
        begin = -4.0
        if self.junction is None or not self.junction.opens(sign):
            return [(begin, self.length)]
        return [(begin, self.junction.start), (self.junction.stop, self.length)]


# character: (odds, lanes' odds of a second one, parking, verge, rails)
_CHARACTERS = {
    "city": (0.42, 0.3, 0.65, 0.25, 0.36),
    "suburb": (0.26, 0.1, 0.6, 0.55, 0.14),
    "park": (0.18, 0.25, 0.35, 0.85, 0.25),
    "works": (0.14, 0.45, 0.35, 0.6, 0.25),
}


def draw_street_plan(rng: np.random.Generator) -> Street:
    """A street's course and cross-section."""
    names = list(_CHARACTERS)
    odds = np.array([_CHARACTERS[name][0] for name in names])
    character = names[rng.choice(len(names), p=odds / odds.sum())]
    _, second, parking, verge, rails = _CHARACTERS[character]
    lane = rng.uniform(3.0, 3.6)
    lanes = 1 + int(rng.random() < second)
    has_rails = rng.random() < rails
    reservation, inner = "none", 0.0
    if has_rails and rng.random() < 0.6:
        reservation, inner = "rails", rng.uniform(3.2, 3.7)
    elif not has_rails and rng.random() < 0.14:
        reservation, inner = "grass", rng.uniform(0.8, 2.4)
    sides = [
        _draw_side(rng, sign, inner, lanes, lane, character, (parking, verge)) for sign in (1, -1)
    ]
    bends = rng.random() < 0.5 and not has_rails
    junction = _draw_junction(rng)
    zebra = None
    if junction is not None and rng.random() < 0.75:
        zebra = junction.start - rng.uniform(3.5, 4.2)
    elif junction is None and rng.random() < 0.3:
        zebra = rng.uniform(8, 24)
    return Street(
        character=character,
        curvature=float(rng.uniform(-1, 1) / 110) if bends else 0.0,
        length=float(rng.uniform(110, 170)),
        right=sides[0],
        left=sides[1],
        reservation=reservation,
        rails=bool(has_rails),
        junction=junction,
        zebra=zebra,
    )


def _draw_side(
    rng: np.random.Generator, sign: int, inner: float, lanes: int, lane: float, character: str,
    odds: tuple[float, float],
) -> Side:  # fmt: skip
    parks, greens = rng.random(2) < odds
    return Side(
        sign=sign,
        inner=inner,
        lanes=lanes,
        lane=lane,
        cycle=rng.uniform(1.4, 1.9) if rng.random() < 0.3 else 0.0,
        parking=rng.uniform(2.2, 2.5) if parks else 0.0,
        verge=rng.uniform(1.4, 3.2) if greens else 0.0,
        pavement=rng.uniform(2.8, 5.0) if character == "city" else rng.uniform(2.0, 3.6),
    )


def _draw_junction(rng: np.random.Generator) -> Junction | None:
    if rng.random() > 0.52:
        return None
    start = rng.uniform(11, 42)
    left, right = [(True, True), (True, False), (False, True)][rng.choice(3, p=[0.6, 0.2, 0.2])]
    return Junction(start, start + rng.uniform(7.5, 12.0), left, right)
