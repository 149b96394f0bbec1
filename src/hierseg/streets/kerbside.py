"""What stands along the kerb: trees, lamp posts, signs, signals, clutter, parked vehicles."""

from __future__ import annotations

import numpy as np

from hierseg.streets.barriers import Panel
from hierseg.streets.camera import Points
from hierseg.streets.cars import draw_car
from hierseg.streets.cycles import draw_bicycle, draw_motorcycle
from hierseg.streets.furniture import bollard, draw_clutter, draw_post_color, lamp_post, plain_post
from hierseg.streets.light import Light
from hierseg.streets.plants import draw_leaf_color, draw_tree
from hierseg.streets.signals import SIGNS, sign, traffic_light
from hierseg.streets.slots import Slots
from hierseg.streets.stage import Item
from hierseg.streets.street import KERB, Side, Street
from hierseg.streets.trucks import draw_truck
from hierseg.streets.vehicles import Vehicle


class KerbBuilder:
    """Furnishes both kerbs of a street.

    Args:
        rng: Where its randomness comes from.
        street: The plan.
        light: Whether lamps are lit.
        slots: What is taken along the street.
    """

    def __init__(
        self, rng: np.random.Generator, street: Street, light: Light, slots: Slots
    ) -> None:
        self._rng, self._street, self._lit, self._slots = rng, street, light.lamps, slots
        self._post = draw_post_color(rng)
        self.items: list[Item] = []

    def build(self) -> list[Item]:
        """All that stands there."""
        self._signals()
        self._signs()
        for side in self._street.sides:
            self._lamps(side)
            self._parked_cycles(side)
            if side.parking:
                self._parked_cars(side)
            self._trees(side)
            self._small_things(side)
        self._middle()
        return self.items

    def _kerb_point(self, side: Side, along: float, inset: float = 0.5) -> Points:
        return self._street.to_world(along, side.sign * (side.kerb + inset), KERB)

    def _open(self, side: Side, along: float) -> bool:
        """Whether there is a kerb at a place (and no crossing street)."""
        return any(start + 0.5 < along < stop - 0.5 for start, stop in self._street.gaps(side.sign))

    def _signals(self) -> None:
        junction = self._street.junction
        if junction is None or self._rng.random() < 0.25:
            crossing = self._street.zebra
            if junction is not None or crossing is None or self._rng.random() < 0.5:
                return
            along = crossing - 0.8
        else:
            along = junction.start - 0.9
        self._signal(self._street.right, along, self._rng.random() < 0.45)
        self._signal(self._street.left, along, False)
        if junction is not None and self._rng.random() < 0.8:
            for side in self._street.sides:
                self._signal(side, junction.stop + 1.2, False)

    def _signal(self, side: Side, along: float, arm: bool) -> None:
        reach = side.kerb - side.inner - 1.2 if arm else 0.0
        facing = self._street.heading(along) + np.pi
        # Seen from its lamps' side the right kerb is on the left: the arm reaches to positive z.
        base = self._kerb_point(side, along)
        self.items += traffic_light(self._rng, base, facing, self._post, reach)
        self._slots.take(("kerb", side.sign), along, 0.8)

    def _signs(self) -> None:
        for _ in range(int(self._rng.integers(2, 6))):
            side = self._street.sides[0 if self._rng.random() < 0.68 else 1]
            along = self._slots.claim(("kerb", side.sign), 0.8, (6.5, 34), self._rng)
            if along is None or not self._open(side, along):
                continue
            kind = SIGNS[self._rng.integers(len(SIGNS))]
            size = (
                self._rng.uniform(0.8, 1.2) if kind == "direction" else self._rng.uniform(0.36, 0.5)
            )
            facing = self._street.heading(along) + np.pi + self._rng.normal(0, 0.12)
            base = self._kerb_point(side, along, 0.45 if kind != "direction" else 0.5 + size * 0.6)
            self.items += sign(kind, base, facing, self._post, size)

    def _lamps(self, side: Side) -> None:
        if self._rng.random() < 0.25:
            return
        height, step = self._rng.uniform(5.5, 8.5), self._rng.uniform(18, 30)
        for along in np.arange(self._rng.uniform(6, 20), 90, step):
            if not self._open(side, along):
                continue
            self._slots.take(("kerb", side.sign), along, 0.6)
            toward = self._street.heading(along) - side.sign * np.pi / 2
            reach = self._rng.uniform(1.2, 1.6)
            self.items.append(
                lamp_post(
                    self._kerb_point(side, along), toward, height, reach, self._post, self._lit
                )
            )

    def _parked_cycles(self, side: Side) -> None:
        """Rows of bicycles, single motorcycles."""
        rng, row = self._rng, ("kerb", side.sign)
        if rng.random() < 0.42:
            count = int(rng.integers(2, 7))
            along = self._slots.claim(row, count * 0.8 + 1.4, (6.5, 24), rng)
            if along is not None and self._open(side, along):
                across = rng.random() < 0.6
                turn = (
                    np.pi / 2 * side.sign + rng.normal(0, 0.15)
                    if across
                    else rng.choice([0, np.pi])
                )
                for i in range(count):
                    s = along + (i - (count - 1) / 2) * (0.75 if across else 1.9)
                    base = self._kerb_point(side, s, 0.95 if across else 0.6)
                    heading = self._street.heading(s) + turn + rng.normal(0, 0.08)
                    self.items.append(draw_bicycle(rng, base, heading, False))
        if rng.random() < 0.3:
            count = int(rng.integers(1, 4))
            along = self._slots.claim(("parking", side.sign), count * 1.3 + 1, (7, 22), rng)
            if along is not None and self._open(side, along):
                turn = -side.sign * (np.pi / 2 - rng.uniform(0, 0.7))
                for i in range(count):
                    s = along + (i - (count - 1) / 2) * 1.25
                    inset = -0.95 if side.parking else 0.9
                    base = self._street.to_world(
                        s, side.sign * (side.kerb + inset), 0 if inset < 0 else KERB
                    )
                    self.items.append(
                        draw_motorcycle(rng, base, self._street.heading(s) + turn, False, False)
                    )

    def _parked_cars(self, side: Side) -> None:
        rng = self._rng
        density = rng.uniform(0.35, 0.95)
        s = rng.uniform(3.5, 7)
        while s < 85:
            length = 5.4
            if rng.random() < density and self._clear_of_crossing(side, s, length):
                truck = rng.random() < 0.05
                along = s + (5.0 if truck else length / 2)
                if self._slots.free(("parking", side.sign), along, 10.2 if truck else length):
                    body = draw_truck(rng, False) if truck else draw_car(rng, False)
                    across = side.sign * (side.strip + side.parking / 2 + rng.normal(0, 0.06))
                    heading = (
                        self._street.heading(along)
                        + (np.pi if side.sign < 0 else 0)
                        + rng.normal(0, 0.02)
                    )
                    if rng.random() < 0.15:
                        heading += np.pi
                    self.items.append(Vehicle(body, self._street.to_world(along, across), heading))
                    length = 10.2 if truck else length
            s += length + rng.uniform(0.3, 1.2)

    def _clear_of_crossing(self, side: Side, start: float, length: float) -> bool:
        stop = start + length
        zebra = self._street.zebra
        if zebra is not None and stop > zebra - 1.5 and start < zebra + 4:
            return False
        junction = self._street.junction
        return (
            junction is None
            or not junction.opens(side.sign)
            or stop < junction.start - 4
            or start > junction.stop + 3
        )

    def _trees(self, side: Side) -> None:
        rng = self._rng
        odds = {"city": 0.4, "suburb": 0.5, "park": 0.75, "works": 0.3}[self._street.character]
        if rng.random() > odds:
            return
        color = draw_leaf_color(rng)
        kind = str(rng.choice(["broad", "tall"], p=[0.85, 0.15]))
        height, step = rng.uniform(4.5, 9.5), rng.uniform(7, 15)
        inset = side.verge / 2 if side.verge > 1 else 0.7
        for along in np.arange(rng.uniform(6, 18), 100, step):
            if self._open(side, along) and self._slots.free(("kerb", side.sign), along, 1.2):
                base = self._kerb_point(side, along, inset)
                self.items.append(
                    draw_tree(rng, base, color, kind, height * rng.uniform(0.85, 1.15))
                )

    def _small_things(self, side: Side) -> None:
        rng = self._rng
        for _ in range(int(rng.integers(0, 4))):
            along = self._slots.claim(("kerb", side.sign), 2.0, (6, 32), rng)
            if along is not None and self._open(side, along):
                heading = self._street.heading(along) - side.sign * np.pi / 2 + rng.normal(0, 0.1)
                self.items.append(draw_clutter(rng, self._kerb_point(side, along, 0.9), heading))
        if rng.random() < 0.16:
            for along in np.arange(rng.uniform(5, 9), rng.uniform(16, 36), rng.uniform(1.6, 2.6)):
                if self._open(side, along) and self._slots.free(("kerb", side.sign), along, 0.4):
                    self.items.append(bollard(self._kerb_point(side, along, 0.35), self._post))
        if rng.random() < (0.3 if self._street.character in ("works", "park") else 0.05):
            stops = np.arange(rng.uniform(4, 12), rng.uniform(30, 60), 3.0)
            marks = self._street.to_world(stops, side.sign * (side.kerb + 0.25), KERB)
            steel = np.array([164.0, 168, 170]) * rng.uniform(0.85, 1.05)
            for i in range(len(marks) - 1):
                if self._open(side, stops[i]) and self._open(side, stops[i + 1]):
                    self.items.append(Panel("guard", marks[i], marks[i + 1], 0.75, 0.1, steel))

    def _middle(self) -> None:
        """Masts for a tram's wires, or trees and lamps, between the two directions."""
        rng, street = self._rng, self._street
        junction = street.junction
        if street.reservation == "none":
            return
        step = rng.uniform(14, 24)
        for along in np.arange(rng.uniform(7, 15), 100, step):
            if junction is not None and junction.start - 6 < along < junction.stop + 3:
                continue
            base = street.to_world(along, 0.0)
            if street.reservation == "rails":
                self.items.append(plain_post(base, 6.5, 0.11, self._post))
            elif street.right.inner > 1.0:
                self.items.append(
                    draw_tree(rng, base, draw_leaf_color(rng), "broad", rng.uniform(4, 7))
                )
