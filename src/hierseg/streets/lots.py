"""What is built and grown beside the pavement: houses, gardens, parks, and the far backdrop."""

from __future__ import annotations

import numpy as np

from hierseg.streets.architecture import WALL_COLORS, draw_building
from hierseg.streets.barriers import FENCES, WALLS, Panel
from hierseg.streets.light import Light
from hierseg.streets.plants import draw_bush, draw_leaf_color, draw_tree
from hierseg.streets.stage import Item
from hierseg.streets.street import KERB, Side, Street


class LotBuilder:
    """Fills the lots on both sides of a street.

    Args:
        rng: Where its randomness comes from.
        street: The plan.
        light: Whether windows are lit.
    """

    def __init__(self, rng: np.random.Generator, street: Street, light: Light) -> None:
        self._rng, self._street, self._lit = rng, street, light.lamps
        self._leaf = draw_leaf_color(rng)
        self.items: list[Item] = []

    def build(self) -> list[Item]:
        """All that stands on the lots, and the backdrop."""
        for side in self._street.sides:
            spans = self._street.gaps(side.sign)
            for number, (start, stop) in enumerate(spans):
                margin_start = 3.3 if number > 0 else 0.0
                margin_stop = 3.3 if number < len(spans) - 1 else 0.0
                self._fill_side(side, start + margin_start, stop - margin_stop, corner=number > 0)
            if len(spans) > 1:
                self._build_along_crossing(side, spans[1][0] + 3.4)
        self._build_backdrop()
        return self.items

    def _fill_side(self, side: Side, start: float, stop: float, corner: bool) -> None:
        rng, character = self._rng, self._street.character
        s = start
        while s < stop - 5:
            width = {"city": (9, 20), "suburb": (10, 17), "park": (10, 26), "works": (14, 30)}[
                character
            ]
            size = float(min(rng.uniform(*width), stop - s))
            green = {"city": 0.12, "suburb": 0.12, "park": 0.62, "works": 0.34}[character]
            if rng.random() < green and not (corner and s == start):
                self._green(side, s, s + size)
            elif character == "suburb":
                self._house(side, s, s + size, corner and s == start)
            else:
                setback = rng.uniform(0, 1.2) if character == "city" else rng.uniform(0, 6)
                self._block(side, (s, s + size), setback, corner and s == start)
            s += size

    def _block(self, side: Side, span: tuple[float, float], setback: float, corner: bool) -> None:
        inner = side.sign * (side.lot + setback)
        outer = inner + side.sign * self._rng.uniform(10, 15)
        self._place(span, inner, outer, self._street.character, corner)
        if setback > 2.5 and self._rng.random() < 0.6:
            self._barrier(side, *span)

    def _place(
        self, span: tuple[float, float], inner: float, outer: float, character: str, corner: bool
    ) -> None:
        start, stop = span
        corners = self._street.to_world([start, stop, stop, start], [inner, inner, outer, outer])
        self.items.append(draw_building(self._rng, corners, character, self._lit, corner))

    def _house(self, side: Side, start: float, stop: float, corner: bool) -> None:
        """A house in a garden."""
        rng = self._rng
        setback = rng.uniform(2.5, 6.5)
        inner = side.sign * (side.lot + setback)
        self._place(
            (start + 1, stop - rng.uniform(1, 3.5)),
            inner,
            inner + side.sign * rng.uniform(8, 11),
            "suburb",
            corner,
        )
        choice = rng.choice(["fence", "wall", "hedge", "none"], p=[0.34, 0.28, 0.22, 0.16])
        if choice == "hedge":
            self._hedge(side, start, stop)
        elif choice != "none":
            self._barrier(side, start, stop, choice)
        for _ in range(int(rng.integers(0, 4))):
            self._bush(rng.uniform(start, stop), side.sign * (side.lot + rng.uniform(0.9, setback)))
        if rng.random() < 0.4:
            self._tree(rng.uniform(start, stop), side.sign * (side.lot + setback * 0.55), (4, 7))

    def _green(self, side: Side, start: float, stop: float) -> None:
        """A park, a yard, or a plot where nothing is built yet."""
        rng = self._rng
        choice = rng.choice(["fence", "wall", "hedge", "none"], p=[0.34, 0.36, 0.14, 0.16])
        if choice == "hedge":
            self._hedge(side, start, stop)
        elif choice != "none":
            self._barrier(side, start, stop, choice)
        for _ in range(int((stop - start) / rng.uniform(4, 8)) + 1):
            self._tree(
                rng.uniform(start, stop), side.sign * (side.lot + rng.uniform(2, 14)), (5, 12)
            )
        for _ in range(int(rng.integers(0, 4))):
            self._bush(rng.uniform(start, stop), side.sign * (side.lot + rng.uniform(1.2, 7)))
        middle = (start + stop) / 2
        self._mass(middle, side.sign * (side.lot + 22), (stop - start) * 1.1)

    def _barrier(self, side: Side, start: float, stop: float, choice: str = "fence") -> None:
        """Panels along the edge of the pavement, with an opening now and then."""
        rng = self._rng
        walls = choice == "wall"
        kinds = WALLS if walls else FENCES
        kind = kinds[rng.integers(len(kinds))]
        height = float(rng.uniform(0.9, 2.4) if walls else rng.uniform(1.0, 1.9))
        palette = WALL_COLORS.get(kind, ((46, 50, 52), (90, 94, 92), (60, 84, 66), (150, 152, 150)))
        if kind in ("picket", "boards"):
            palette = ((222, 220, 212), (146, 108, 76), (120, 92, 70), (100, 112, 96))
        color = np.asarray(palette[rng.integers(len(palette))], float) * rng.uniform(0.85, 1.08)
        across = side.sign * (side.lot + 0.2)
        count = max(1, round((stop - start) / 5.0))
        marks = self._street.to_world(np.linspace(start, stop, count + 1), across, KERB * 0.7)
        opening = int(rng.integers(count)) if count > 2 and rng.random() < 0.5 else -1
        for i in range(count):
            if i != opening:
                self.items.append(
                    Panel(kind, marks[i], marks[i + 1], height, 0.3 if walls else 0.08, color)
                )

    def _hedge(self, side: Side, start: float, stop: float) -> None:
        high = self._rng.uniform(0.9, 1.9)
        green = self._rng.uniform(88, 128)
        color = np.array([green * 0.74, green, green * 0.46])
        for s in np.arange(start + 0.5, stop, 1.7):
            base = self._street.to_world(s, side.sign * (side.lot + 0.55))
            self.items.append(draw_bush(self._rng, base, color, (2.5, high), True))

    def _tree(self, along: float, across: float, heights: tuple[float, float]) -> None:
        kind = self._rng.choice(["broad", "tall", "fir"], p=[0.72, 0.12, 0.16])
        color = self._leaf if self._rng.random() < 0.75 else draw_leaf_color(self._rng)
        base = self._street.to_world(along, across)
        self.items.append(draw_tree(self._rng, base, color, str(kind), self._rng.uniform(*heights)))

    def _bush(self, along: float, across: float) -> None:
        size = self._rng.uniform(0.9, 2.4)
        base = self._street.to_world(along, across)
        color = draw_leaf_color(self._rng) * 0.92
        self.items.append(draw_bush(self._rng, base, color, (size * 1.3, size), False))

    def _mass(self, along: float, across: float, width: float) -> None:
        """A wood in the background."""
        high = self._rng.uniform(6, 11)
        base = self._street.to_world(along, across)
        self.items.append(
            draw_bush(self._rng, base, self._leaf * 0.86, (max(width, 10.0), high), False)
        )

    def _build_along_crossing(self, side: Side, along: float) -> None:
        """Houses on the far side of the crossing street, which look towards the camera."""
        rng, character = self._rng, self._street.character
        t = side.lot + 17.0
        while t < 60:
            width = rng.uniform(9, 18)
            if rng.random() < 0.3:
                self._mass(along + 8, side.sign * (t + width / 2), width)
            else:
                across = side.sign * np.array([t, t + width, t + width, t])
                corners = self._street.to_world([along, along, along + 11, along + 11], across)
                self.items.append(draw_building(rng, corners, character, self._lit, False))
            t += width

    def _build_backdrop(self) -> None:
        """Houses and woods behind all, and where the street ends."""
        rng, street = self._rng, self._street
        far = street.length + 8
        wide = 45.0 if street.character == "city" else 80.0
        t = -wide
        while t < wide:
            width = rng.uniform(10, 24)
            if rng.random() < (0.35 if street.character in ("city", "works") else 0.7):
                self._mass(far + rng.uniform(5, 40), t + width / 2, width * 1.3)
            else:
                corners = street.to_world(
                    [far, far, far + 12, far + 12], [t, t + width, t + width, t]
                )
                self.items.append(draw_building(rng, corners, "city", self._lit, False))
            t += width * 0.9
        for sign in (-1, 1):
            for s in rng.uniform(30, street.length, 3):
                self._mass(s, sign * rng.uniform(38, 70), rng.uniform(14, 24))
