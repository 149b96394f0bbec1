"""What is built and grown beside the pavement: houses, gardens, parks, yards, and the far backdrop."""

from __future__ import annotations

from typing import Any

import numpy as np

from hierseg.data.streets.barriers import FENCES, WALLS, Panel
from hierseg.data.streets.buildings import Building
from hierseg.data.streets.camera import Points
from hierseg.data.streets.facades import Facade
from hierseg.data.streets.light import Light
from hierseg.data.streets.plants import draw_bush, draw_leaf_color, draw_tree
from hierseg.data.streets.stage import Item
from hierseg.data.streets.street import KERB, Side, Street

_WALL_COLORS: dict[str, tuple[Any, ...]] = {
    "brick": ((158, 88, 70), (176, 112, 86), (134, 76, 64), (186, 150, 116), (120, 92, 84)),
    "blocks": ((186, 176, 156), (168, 164, 156), (200, 188, 160), (146, 142, 138)),
    "plaster": (
        (214, 204, 182), (222, 216, 204), (206, 186, 140), (196, 160, 132), (176, 184, 186),
        (224, 196, 160), (168, 182, 160), (204, 168, 160), (160, 164, 172),
    ),
    "planks": ((150, 154, 158), (128, 140, 150), (176, 170, 158), (120, 112, 104), (150, 108, 84)),
}  # fmt: skip
_TILES = ((150, 78, 58), (128, 70, 56), (92, 88, 88), (112, 98, 88), (74, 78, 86))
_ACCENTS = ((150, 34, 40), (32, 74, 130), (36, 96, 66), (206, 150, 40), (60, 60, 66), (120, 60, 110), (200, 96, 44))


def draw_facade(rng: np.random.Generator, character: str, width: float, lit: bool) -> Facade:
    """A house front that suits a street."""
    kind = {
        "city": ["terrace", "block", "office"], "suburb": ["house"], "park": ["terrace", "house", "block"],
        "works": ["hall", "office", "hall"],
    }[character]  # fmt: skip
    style = kind[rng.integers(len(kind))]
    materials = {
        "terrace": ["brick", "plaster", "blocks"], "block": ["plaster", "plaster", "brick"],
        "office": ["blocks", "plaster"], "house": ["plaster", "brick", "plaster"], "hall": ["planks", "blocks", "brick"],
    }[style]  # fmt: skip
    material = materials[rng.integers(len(materials))]
    palette = _WALL_COLORS[material]
    floors = {"terrace": (2, 5), "block": (3, 8), "office": (2, 8), "house": (1, 2), "hall": (0, 2)}[style]
    bay = {"terrace": 2.6, "block": 3.0, "office": 2.1, "house": 2.9, "hall": 4.2}[style]
    window = {
        "terrace": (0.44, 0.58), "block": (0.52, 0.5), "office": (0.84, 0.62), "house": (0.46, 0.5), "hall": (0.6, 0.36),
    }[style]  # fmt: skip
    shops = rng.random() < (0.6 if character == "city" else 0.2)
    plain = {"house": "door", "hall": "garage", "office": "plain"}.get(style, "door")
    white = np.array([226.0, 224, 218])
    return Facade(
        width=width,
        floors=int(rng.integers(floors[0], floors[1] + 1)),
        floor=float(rng.uniform(2.7, 3.3)),
        ground=float(rng.uniform(3.4, 4.4) if shops or style == "hall" else rng.uniform(2.7, 3.2)),
        bays=max(2, round(width / (bay * rng.uniform(0.85, 1.2)))),
        wall=np.asarray(palette[rng.integers(len(palette))], float) * rng.uniform(0.85, 1.1),
        trim=white * rng.uniform(0.8, 1.0) if rng.random() < 0.65 else np.array([92.0, 84, 78]) * rng.uniform(0.7, 1.3),
        material=material,
        window=(window[0] * rng.uniform(0.85, 1.12), window[1] * rng.uniform(0.9, 1.15)),
        mullions=int(rng.integers(0, 3)),
        street_floor="shop" if shops and style in ("terrace", "block", "office") else plain,
        accent=np.asarray(_ACCENTS[rng.integers(len(_ACCENTS))], float),
        lit=float(rng.uniform(0.25, 0.5) if lit else rng.uniform(0, 0.04)),
        bands=bool(rng.random() < 0.4),
        seed=int(rng.integers(1 << 30)),
    )


def draw_building(
    rng: np.random.Generator, corners: Points, character: str, lit: bool, corner_house: bool
) -> Building:
    """A building on four corners (see Building); a corner house has windows on its end, too."""
    width = float(np.linalg.norm(corners[1] - corners[0]))
    depth = float(np.linalg.norm(corners[3] - corners[0]))
    front = draw_facade(rng, character, width, lit)
    bays = max(1, round(depth / 3.2)) if corner_house or rng.random() < 0.35 else 0
    end = _end_of(front, depth, bays, int(rng.integers(1 << 30)))
    roof = "flat"
    if character == "suburb" or (front.floors <= 4 and character != "works" and rng.random() < 0.5):
        roof = "gable" if rng.random() < 0.75 else "mansard"
    rise = rng.uniform(0.26, 0.42) * depth if roof == "gable" else rng.uniform(2.0, 3.0)
    balconies = np.zeros((0, 3))
    if front.street_floor != "garage" and front.floors >= 3 and rng.random() < 0.4:
        columns = rng.choice([0.2, 0.5, 0.8], int(rng.integers(1, 4)), replace=False)
        balconies = np.array(
            [(c, front.ground + f * front.floor + 0.05, 2.3) for f in range(front.floors) for c in columns]
        )
    return Building(
        corners=corners,
        front=front,
        end=end,
        roof=roof,
        rise=float(rise) if roof != "flat" else 0.0,
        tiles=np.asarray(_TILES[rng.integers(len(_TILES))], float) * rng.uniform(0.85, 1.1),
        chimneys=tuple(rng.uniform(0.15, 0.85, int(rng.integers(0, 3))).tolist()),
        balconies=balconies,
    )


def _end_of(front: Facade, width: float, bays: int, seed: int) -> Facade:
    floor = "plain" if front.street_floor in ("shop", "door") else front.street_floor
    return Facade(
        width, front.floors, front.floor, front.ground, bays, front.wall * 0.97, front.trim, front.material,
        front.window, front.mullions, floor, front.accent, front.lit, False, seed,
    )  # fmt: skip


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
            width = {"city": (9, 20), "suburb": (10, 17), "park": (10, 26), "works": (14, 30)}[character]
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
        self._place((start + 1, stop - rng.uniform(1, 3.5)), inner, inner + side.sign * rng.uniform(8, 11), "suburb", corner)
        choice = rng.choice(["fence", "wall", "hedge", "none"], p=[0.36, 0.2, 0.26, 0.18])
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
        choice = rng.choice(["fence", "wall", "hedge", "none"], p=[0.34, 0.3, 0.16, 0.2])
        if choice == "hedge":
            self._hedge(side, start, stop)
        elif choice != "none":
            self._barrier(side, start, stop, choice)
        for _ in range(int((stop - start) / rng.uniform(4, 8)) + 1):
            self._tree(rng.uniform(start, stop), side.sign * (side.lot + rng.uniform(2, 14)), (5, 12))
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
        palette = _WALL_COLORS.get(kind, ((46, 50, 52), (90, 94, 92), (60, 84, 66), (150, 152, 150)))
        if kind in ("picket", "boards"):
            palette = ((222, 220, 212), (146, 108, 76), (120, 92, 70), (100, 112, 96))
        color = np.asarray(palette[rng.integers(len(palette))], float) * rng.uniform(0.85, 1.08)
        across = side.sign * (side.lot + 0.2)
        count = max(1, round((stop - start) / 5.0))
        marks = self._street.to_world(np.linspace(start, stop, count + 1), across, KERB * 0.7)
        opening = int(rng.integers(count)) if count > 2 and rng.random() < 0.5 else -1
        for i in range(count):
            if i != opening:
                self.items.append(Panel(kind, marks[i], marks[i + 1], height, 0.3 if walls else 0.08, color))

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
        self.items.append(draw_bush(self._rng, base, self._leaf * 0.86, (max(width, 10.0), high), False))

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
                corners = street.to_world([far, far, far + 12, far + 12], [t, t + width, t + width, t])
                self.items.append(draw_building(rng, corners, "city", self._lit, False))
            t += width * 0.9
        for sign in (-1, 1):
            for s in rng.uniform(30, street.length, 3):
                self._mass(s, sign * rng.uniform(38, 70), rng.uniform(14, 24))
