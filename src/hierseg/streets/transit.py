"""Buses and trams."""

from __future__ import annotations

from typing import Any

import numpy as np

from hierseg.streets.canvas import Color
from hierseg.streets.solids import Body, Part, box, extrude
from hierseg.streets.vehicles import (
    BUS,
    GLASS,
    TRAIN,
    add_lamps,
    add_plates,
    add_wheels,
    draw_paint,
    rectangle,
    tyres,
)

_BUSES: tuple[Color, ...] = (
    (196, 36, 36), (224, 176, 40), (44, 92, 160), (222, 222, 218), (48, 128, 88), (150, 166, 178),
    (216, 110, 40), (112, 48, 110),
)  # fmt: skip


def draw_bus(rng: np.random.Generator, lit: bool) -> Body:
    """A city bus; now and then a double-decker."""
    half = rng.uniform(9.5, 12.0) / 2
    wide = rng.uniform(1.22, 1.28)
    decks = 2 if rng.random() < 0.12 else 1
    height = 4.3 if decks == 2 else rng.uniform(2.95, 3.2)
    paint = draw_paint(rng, _BUSES)
    roof = paint * 0.9 if rng.random() < 0.5 else np.array([222.0, 222, 220])
    part = box((-half, half), (0.32, height), (-wide, wide), paint)
    second = draw_paint(rng, _BUSES)
    part.add_side(rectangle((-half, half), (0.34, 0.62)), wide + 0.005, second * 0.8)
    part.add_side(rectangle((-half, half), (height - 0.32, height)), wide + 0.005, roof)
    for deck in range(decks):
        low = 1.25 + 1.75 * deck
        _add_windows(part, (-half, half), (low, low + 1.1), wide, 1.45)
        part.add_end(half + 0.01, (low, low + 1.25), (-wide + 0.12, wide - 0.12), GLASS)
        part.add_end(
            half + 0.012, (low + 0.1, low + 1.1), (-wide + 0.5, -wide + 0.9), (128, 142, 154)
        )
        part.add_end(-half - 0.01, (low + 0.15, low + 1.0), (-wide + 0.3, wide - 0.3), GLASS)
        part.add_end(
            -half - 0.015, (low + 0.2, low + 0.95), (-wide + 0.6, -wide + 1.0), (116, 130, 142)
        )
    part.add_end(-half - 0.01, (0.36, 0.6), (-wide, wide), second * 0.8)
    for row in (0.7, 0.82, 0.94):
        part.add_end(-half - 0.012, (row, row + 0.07), (-0.6, 0.6), paint * 0.5)
    part.add_end(
        half + 0.02, (height - 0.46, height - 0.16), (-wide + 0.35, wide - 0.35), (30, 30, 32)
    )
    part.add_end(
        half + 0.03, (height - 0.4, height - 0.22), (-0.5, 0.5), (250, 170, 40), shines=True
    )
    for door in (half - 1.5, -half * 0.12):
        outline = rectangle((door, door + 1.15), (0.4, 2.35))
        part.add_side(outline, wide + 0.012, (46, 54, 60))
        part.add_side(rectangle((door + 0.56, door + 0.6), (0.4, 2.35)), wide + 0.014, paint * 0.7)
    axles = (-half + 2.7, half - 2.6)
    add_wheels(part, axles, 0.46, wide + 0.015, (132, 134, 136))
    add_lamps(part, (-half - 0.02, half + 0.02), (0.62, 0.84), (wide - 0.42, wide - 0.1), lit)
    add_plates(part, (-half - 0.02, half + 0.02), 0.42)
    return Body([*tyres(axles, 0.46, wide - 0.04, 0.36), part], BUS, (-half, half), wide, height)


def _add_windows(
    part: Part, x: tuple[float, float], y: tuple[float, float], wide: float, width: float
) -> None:
    """A dark band of windows with pillars between."""
    part.add_side(rectangle((x[0] + 0.15, x[1] - 0.12), y), wide + 0.008, (46, 54, 60))
    for left in np.arange(x[0] + 0.3, x[1] - width, width + 0.08):
        part.add_side(
            rectangle((left, left + width - 0.02), (y[0] + 0.08, y[1] - 0.08)), wide + 0.01, GLASS
        )
        shine = [
            (left + 0.2, y[0] + 0.08),
            (left + 0.45, y[0] + 0.08),
            (left + 0.85, y[1] - 0.08),
            (left + 0.6, y[1] - 0.08),
        ]
        part.add_side(shine, wide + 0.011, (108, 122, 134))


def draw_tram(rng: np.random.Generator, lit: bool) -> Body:
    """A tram of two to four sections with bellows between."""
    sections = int(rng.integers(2, 5))
    each = rng.uniform(6.0, 7.5)
    wide = rng.uniform(1.15, 1.25)
    height = rng.uniform(3.2, 3.5)
    paint, second = draw_paint(rng, _BUSES), np.array([230.0, 228, 220]) * rng.uniform(0.85, 1.02)
    half = sections * each / 2
    parts = []
    for i in range(sections):
        x0, x1 = -half + i * each, -half + (i + 1) * each - 0.45
        parts.append(
            _tram_section((x0, x1), height, wide, (paint, second), (i == 0, i == sections - 1), lit)
        )
        if i < sections - 1:
            parts.append(
                box(
                    (x1, x1 + 0.45), (0.4, height - 0.25), (-wide + 0.12, wide - 0.12), (48, 48, 50)
                )
            )
    parts.append(box((-0.9, 0.9), (height, height + 0.32), (-0.7, 0.7), (150, 152, 154), layer=2))
    pantograph = [
        (-0.1, height + 0.3),
        (0.05, height + 0.3),
        (0.65, height + 1.3),
        (0.5, height + 1.3),
    ]
    parts.append(extrude(pantograph, 0.5, (70, 70, 72), layer=3))
    return Body(parts, TRAIN, (-half, half), wide, height)


def _tram_section(
    x: tuple[float, float], height: float, wide: float, colors: tuple[Any, Any],
    ends: tuple[bool, bool], lit: bool,
) -> Part:  # fmt: skip
    """One section; its nose slopes where it is the first or the last."""
    paint, second = colors
    rear = 0.75 if ends[0] else 0.0
    front = 0.75 if ends[1] else 0.0
    profile = [
        (x[0], 0.22), (x[1], 0.22), (x[1], 1.2), (x[1] - front, height - 0.1),
        (x[1] - front - 0.15, height),
        (x[0] + rear + 0.15, height), (x[0] + rear, height - 0.1), (x[0], 1.2),
    ]  # fmt: skip
    part = extrude(profile, wide, second)
    part.add_side(rectangle((x[0], x[1]), (0.22, 1.05)), wide + 0.004, paint)
    part.add_side(rectangle((x[0], x[1]), (0.22, 0.42)), wide + 0.006, (58, 58, 60))
    _add_windows(part, (x[0] + rear * 0.8, x[1] - front * 0.8), (1.35, 2.55), wide, 1.25)
    door = (x[0] + x[1]) / 2
    part.add_side(rectangle((door - 0.65, door + 0.65), (0.4, 2.6)), wide + 0.013, paint * 0.85)
    for left in (door - 0.58, door + 0.04):
        part.add_side(rectangle((left, left + 0.54), (0.6, 2.45)), wide + 0.016, GLASS)
    for sloped, end, outward in ((ends[0], x[0], -1), (ends[1], x[1], 1)):
        if sloped:
            _add_tram_face(part, end, outward, height, wide, paint, lit)
    return part


def _add_tram_face(
    part: Part, end: float, outward: int, height: float, wide: float, paint: Any, lit: bool
) -> None:
    top, low, across = height - 0.55, 1.25, wide - 0.14
    tip = end + outward * 0.015
    lean = 0.75 * (top - 1.2) / (height - 1.3)
    screen = [
        (tip, low, -across),
        (tip, low, across),
        (tip - outward * lean, top, across),
        (tip - outward * lean, top, -across),
    ]
    part.add(screen, GLASS)
    part.add_end(tip, (0.24, 1.12), (-wide, wide), paint)
    part.add_end(
        tip + outward * 0.01,
        (0.7, 0.9),
        (wide - 0.5, wide - 0.15),
        (246, 244, 226) if outward > 0 else (190, 36, 30),
        shines=lit,
        both=True,
    )
    lean = 0.75 * (height - 0.22 - 1.2) / (height - 1.3)
    part.add_end(
        tip - outward * (lean - 0.06),
        (height - 0.44, height - 0.2),
        (-0.6, 0.6),
        (246, 166, 44),
        shines=True,
    )
