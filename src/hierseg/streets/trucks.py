"""Lorries: a cab, and a box, a tarpaulin, a tipper or a tank behind it."""

from __future__ import annotations

from typing import Any

import numpy as np

from hierseg.streets.canvas import Color
from hierseg.streets.solids import Body, Part, box, extrude, vector
from hierseg.streets.vehicles import (
    DARK,
    GLASS,
    TRUCK,
    add_plates,
    add_wheels,
    draw_paint,
    rectangle,
    tyres,
)

_CABS: tuple[Color, ...] = (
    (206, 208, 210), (178, 34, 34), (34, 66, 126), (224, 160, 36), (46, 104, 66), (60, 64, 70),
    (232, 232, 228), (216, 96, 32),
)  # fmt: skip
_LOADS: tuple[Color, ...] = (
    (226, 226, 222), (198, 200, 202), (58, 96, 150), (170, 44, 40), (212, 176, 74), (74, 120, 82),
    (120, 124, 130), (178, 128, 84),
)  # fmt: skip


def draw_truck(rng: np.random.Generator, lit: bool) -> Body:
    """A lorry with a box, a tarpaulin, a tipper or a tank."""
    half_width = rng.uniform(1.12, 1.27)
    length = rng.uniform(6.2, 9.6)
    floor, height = rng.uniform(0.95, 1.15), rng.uniform(2.9, 3.8)
    kind = rng.choice(["box", "canvas", "tipper", "tank"], p=[0.45, 0.25, 0.2, 0.1])
    half = length / 2
    axles = [-half + 1.6, half - 1.1] if length < 8 else [-half + 1.1, -half + 2.4, half - 1.2]
    cab = _truck_cab(half, half_width, rng.uniform(2.35, 3.0), draw_paint(rng, _CABS), lit)
    front = half - rng.uniform(1.95, 2.3)
    load = _truck_load(rng, str(kind), (-half, front), (floor, height), half_width)
    frame = box(
        (-half + 0.05, front + 0.2),
        (0.55, floor),
        (-half_width + 0.2, half_width - 0.2),
        DARK,
        layer=0,
    )
    load.add_end(-half - 0.02, (0.55, 0.75), (-half_width + 0.1, half_width - 0.1), (52, 52, 54))
    add_wheels(load, axles[:-1], 0.48, half_width - 0.04, (120, 122, 124))
    add_wheels(cab, axles[-1:], 0.48, half_width - 0.04, (120, 122, 124))
    red = (214, 40, 34) if lit else (168, 26, 26)
    across = (half_width - 0.5, half_width - 0.14)
    load.add_end(-half - 0.03, (0.58, 0.72), across, red, shines=lit, both=True)
    add_plates(load, (-half - 0.035,), 0.58)
    parts = [*tyres(axles, 0.48, half_width - 0.06, 0.4), frame, load, cab]
    return Body(parts, TRUCK, (-half, half), half_width, height)


def _truck_cab(half: float, half_width: float, height: float, paint: Any, lit: bool) -> Part:
    back = half - 1.95
    profile = [
        (back, 0.55), (half - 0.06, 0.42), (half, 0.6), (half - 0.02, 1.45),
        (half - 0.3, height - 0.1),
        (half - 0.5, height), (back, height),
    ]  # fmt: skip
    part = extrude(profile, half_width - 0.03, paint)
    window = [
        (half - 1.25, 1.5),
        (half - 0.2, 1.5),
        (half - 0.4, height - 0.35),
        (half - 1.25, height - 0.35),
    ]
    part.add_side(window, half_width - 0.02, GLASS)
    part.add_side(
        rectangle((half - 1.34, half - 1.31), (0.6, height - 0.3)), half_width - 0.02, paint * 0.6
    )
    wide = half_width - 0.16
    screen = [
        (half, 1.5, -wide),
        (half, 1.5, wide),
        (half - 0.28, height - 0.2, wide),
        (half - 0.28, height - 0.2, -wide),
    ]
    part.add(np.array(screen) + vector(0.01, 0, 0), GLASS)
    part.add_end(half + 0.012, (0.72, 1.34), (-wide + 0.2, wide - 0.2), DARK)
    part.add_end(
        half + 0.02,
        (0.55, 0.74),
        (half_width - 0.5, half_width - 0.1),
        (240, 240, 226),
        shines=lit,
        both=True,
    )
    part.add_end(half + 0.02, (0.42, 0.54), (-0.26, 0.26), (222, 222, 214))
    return part


def _truck_load(
    rng: np.random.Generator,
    kind: str,
    x: tuple[float, float],
    y: tuple[float, float],
    half_width: float,
) -> Part:
    paint = draw_paint(rng, _LOADS)
    if kind == "tipper":
        low = y[0] + (y[1] - y[0]) * 0.55
        profile = [(x[0], y[0]), (x[1], y[0]), (x[1] + 0.1, low), (x[0] - 0.1, low)]
        part = extrude(profile, half_width, paint)
        for rib in np.linspace(x[0] + 0.3, x[1] - 0.3, 7):
            part.add_side(
                rectangle((rib, rib + 0.1), (y[0] + 0.05, low - 0.05)),
                half_width + 0.01,
                paint * 0.78,
            )
        return part
    if kind == "tank":
        top = y[0] + (y[1] - y[0]) * 0.75
        part = extrude(rectangle(x, (y[0], top)), half_width, np.array([186, 190, 194]))
        part.add_side(rectangle(x, (y[0] + 0.35, y[0] + 0.75)), half_width + 0.01, paint)
        part.add_side(rectangle(x, (top - 0.4, top)), half_width + 0.01, (222, 226, 228))
        return part
    part = box(x, y, (-half_width, half_width), paint)
    second = draw_paint(rng, _LOADS)
    middle = sum(x) / 2
    size = (x[1] - x[0]) * rng.uniform(0.15, 0.36)
    part.add_side(
        rectangle((middle - size, middle + size), (y[0] + 0.8, y[0] + 1.6)),
        half_width + 0.01,
        second,
    )
    if kind == "canvas":
        for seam in np.linspace(*x, 8)[1:-1]:
            part.add_side(rectangle((seam, seam + 0.05), y), half_width + 0.015, paint * 0.84)
    part.add_side(rectangle(x, (y[0], y[0] + 0.14)), half_width + 0.012, DARK)
    part.add_end(
        x[0] - 0.01,
        (y[0] + 0.08, y[1] - 0.08),
        (-half_width + 0.08, half_width - 0.08),
        paint * 0.93,
    )
    part.add_end(x[0] - 0.012, (y[0] + 0.1, y[1] - 0.1), (-0.025, 0.025), DARK)
    part.add_end(
        x[0] - 0.012, (y[0] + 0.1, y[0] + 0.2), (-half_width + 0.1, half_width - 0.1), (206, 60, 48)
    )
    return part
