"""What moves: cars, lorries, buses, trams, riders, and people on foot."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hierseg.streets.camera import Points
from hierseg.streets.cars import draw_car
from hierseg.streets.clothing import draw_looks
from hierseg.streets.cycles import draw_bicycle, draw_motorcycle
from hierseg.streets.light import Light
from hierseg.streets.people import Gait
from hierseg.streets.slots import Slots
from hierseg.streets.solids import Body
from hierseg.streets.stage import Item
from hierseg.streets.street import KERB, Side, Street
from hierseg.streets.transit import draw_bus, draw_tram
from hierseg.streets.trucks import draw_truck
from hierseg.streets.vehicles import Vehicle

_OWN_GAP = 8.0  # metres that the camera keeps to what drives before it


class TrafficBuilder:
    """Puts traffic on a street.

    Args:
        rng: Where its randomness comes from.
        street: The plan.
        light: Whether lamps are lit.
        slots: What is taken along the street.
        own_lane: The camera's lane, counted from the centre line, on the right.
    """

    def __init__(
        self, rng: np.random.Generator, street: Street, light: Light, slots: Slots, own_lane: int
    ) -> None:
        self._rng, self._street, self._lit, self._slots = rng, street, light.lamps, slots
        self._own = own_lane
        self.items: list[Item] = []
        self.gaits: dict[int, Gait] = {}

    def build(self) -> list[Item]:
        """All that moves; rare kinds first, so that they find a place near the camera."""
        rng = self._rng
        if self._street.rails and rng.random() < 0.85:
            self._tram()
        if rng.random() < 0.3:
            self._drive(lambda: draw_bus(rng, self._lit), (9, 30), 1.5)
        if rng.random() < (0.6 if self._street.character == "works" else 0.27):
            self._drive(lambda: draw_truck(rng, self._lit), (8, 28), 1.5)
        for _ in range(int(rng.choice(4, p=[0.5, 0.28, 0.15, 0.07]))):
            self._cyclist()
        for _ in range(int(rng.choice(3, p=[0.68, 0.24, 0.08]))):
            self._motorcyclist()
        for _ in range(int(rng.integers(1, 8))):
            self._drive(lambda: draw_car(rng, self._lit), (7, 60), 2.5)
        self._cross_traffic()
        self._walkers()
        return self.items

    def _lanes(self) -> list[tuple[Side, int]]:
        return [(side, i) for side in self._street.sides for i in range(side.lanes)]

    def _drive(self, draw: Callable[[], Body], span: tuple[float, float], gap: float) -> None:
        """Something with four wheels or more in a lane."""
        rng = self._rng
        body = draw()
        length = float(np.ptp(body.footprint[:, 0])) + gap
        side, lane = self._lanes()[rng.integers(len(self._lanes()))]
        low = span[0] if (side.sign > 0 and lane == self._own) or side.sign > 0 else 5.0
        if side.sign > 0 and lane == self._own:
            low = max(low, _OWN_GAP)
        along = self._slots.claim((side.sign, lane), length, (low, span[1]), rng)
        if along is None:
            return
        self._put(body, along, side, side.lane_center(lane) + rng.normal(0, 0.15))

    def _put(self, body: Body, along: float, side: Side, across: float) -> None:
        heading = self._street.heading(along) + (0 if side.sign > 0 else np.pi)
        heading += self._rng.normal(0, 0.015)
        self.items.append(Vehicle(body, self._street.to_world(along, across), heading))

    def _tram(self) -> None:
        rng, street = self._rng, self._street
        body = draw_tram(rng, self._lit)
        length = float(np.ptp(body.footprint[:, 0]))
        own_track = street.reservation == "rails" and rng.random() < 0.4
        side = street.right if own_track else street.left
        low = 9.0 if side.sign > 0 else 5.0
        if street.reservation == "rails":
            middle = rng.uniform(low, 30) + length / 2
            across = side.sign * side.inner / 2
        else:
            claimed = self._slots.claim((side.sign, 0), length + 2, (low, 26), rng)
            if claimed is None:
                return
            middle, across = claimed, side.lane_center(0)
        self._put(body, middle, side, across)

    def _cyclist(self) -> None:
        """A rider in the cycle lane or at the edge of the outermost lane."""
        rng = self._rng
        side = self._street.sides[0 if rng.random() < 0.6 else 1]
        row = ("cycle", side.sign) if side.cycle else (side.sign, side.lanes - 1)
        along = self._slots.claim(row, 2.6, (6.0, 24), rng)
        if along is None:
            return
        across = side.traffic + side.cycle / 2 if side.cycle else side.traffic - 0.6
        heading = self._street.heading(along) + (0 if side.sign > 0 else np.pi) + rng.normal(0, 0.1)
        base = self._street.to_world(along, side.sign * across)
        self.items.append(draw_bicycle(rng, base, heading, True))

    def _motorcyclist(self) -> None:
        rng = self._rng
        side, lane = self._lanes()[rng.integers(len(self._lanes()))]
        along = self._slots.claim((side.sign, lane), 3.2, (6.5, 24), rng)
        if along is None:
            return
        heading = (
            self._street.heading(along) + (0 if side.sign > 0 else np.pi) + rng.normal(0, 0.06)
        )
        base = self._street.to_world(along, side.lane_center(lane) + rng.normal(0, 0.5))
        self.items.append(draw_motorcycle(rng, base, heading, True, self._lit))

    def _cross_traffic(self) -> None:
        """Vehicles that cross the junction, seen from the side."""
        rng, junction = self._rng, self._street.junction
        if junction is None or rng.random() < 0.35:
            return
        for share, direction in ((0.27, 1), (0.73, -1)):
            along = junction.start + (junction.stop - junction.start) * share
            low = -30.0 if junction.left else 3.0
            high = 30.0 if junction.right else -3.0
            for _ in range(int(rng.integers(0, 3))):
                self._cross(along, direction, (low, high))

    def _cross(self, along: float, direction: int, span: tuple[float, float]) -> None:
        rng = self._rng
        kind = rng.choice(
            ["car", "bus", "truck", "bicycle", "motorcycle"], p=[0.5, 0.14, 0.14, 0.12, 0.1]
        )
        if span[0] >= span[1]:
            return
        across = rng.uniform(*span)
        length = {"car": 5.5, "bus": 13.0, "truck": 10.5}.get(str(kind), 3.0)
        if not self._slots.free(("cross", direction), across, length) or not self._clear(along):
            return
        self._slots.take(("cross", direction), across, length)
        heading = self._street.heading(along) + direction * np.pi / 2
        base = self._street.to_world(along, across)
        if kind == "bicycle":
            self.items.append(draw_bicycle(rng, base, heading, True))
        elif kind == "motorcycle":
            self.items.append(draw_motorcycle(rng, base, heading, True, self._lit))
        else:
            draw = {"car": draw_car, "bus": draw_bus, "truck": draw_truck}[str(kind)]
            self.items.append(Vehicle(draw(rng, self._lit), base, heading))

    def _clear(self, along: float) -> bool:
        """Whether nothing that drives along the street stands in the junction."""
        return all(self._slots.free((side.sign, lane), along, 3.0) for side, lane in self._lanes())

    def _walkers(self) -> None:
        rng, street = self._rng, self._street
        busy = {"city": (3, 13), "suburb": (1, 6), "park": (1, 7), "works": (0, 5)}[
            street.character
        ]
        for _ in range(int(rng.integers(*busy))):
            side = street.sides[rng.integers(2)]
            along = 5.5 + 40 * rng.random() ** 1.8
            if not any(a < along < b for a, b in street.gaps(side.sign)):
                continue
            across = side.sign * rng.uniform(side.walk + 0.5, side.lot - 0.4)
            self._walk(street.to_world(along, across, KERB), along + 0.0, rng.random() < 0.8)
        if street.zebra is not None and rng.random() < 0.6:
            for _ in range(int(rng.integers(1, 5))):
                along = street.zebra + rng.uniform(0.5, 2.8)
                across = rng.uniform(-street.left.strip, street.right.strip)
                if all(self._slots.free((s.sign, i), along, 2.5) for s, i in self._lanes()):
                    self._walk(street.to_world(along, across), along + 0.0, False)

    def _walk(self, base: Points, along: float, with_street: bool) -> None:
        """One person, now and then with a second one beside."""
        rng = self._rng
        turn = rng.choice([0.0, np.pi]) + (0.0 if with_street else np.pi / 2)
        heading = self._street.heading(along) + turn + rng.normal(0, 0.25)
        moving = rng.random() < 0.8
        for i in range(2 if rng.random() < 0.25 else 1):
            looks = draw_looks(rng, child=rng.random() < 0.12)
            aside = np.array([np.cos(heading), 0, -np.sin(heading)]) * (0.65 * i)
            stride = rng.uniform(0.3, 0.5) if moving else 0.05
            gait = Gait(looks, stride)
            self.gaits[len(self.items)] = gait
            self.items.append(gait.pose(base + aside, heading, rng.uniform(-1, 1)))
