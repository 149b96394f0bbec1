"""Cars: hatchbacks, saloons, estates, off-roaders and vans."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from hierseg.streets.canvas import Color
from hierseg.streets.solids import PAINT, Body, Part, Tone, extrude
from hierseg.streets.vehicles import (
    CAR,
    DARK,
    GLASS,
    add_lamps,
    add_plates,
    add_wheels,
    rectangle,
    tyres,
)

PAINTS: tuple[Color, ...] = (
    (28, 30, 34), (44, 46, 52), (92, 96, 102), (138, 142, 148), (176, 180, 184), (214, 216, 218),
    (232, 232, 230), (150, 26, 28), (176, 40, 30), (30, 52, 104), (40, 84, 140), (94, 128, 160),
    (34, 74, 52), (116, 92, 70), (196, 178, 140), (204, 132, 34), (70, 30, 40), (210, 190, 60),
)  # fmt: skip
_COMMON = 7  # the first paints are blacks, greys and whites, which most cars have


@dataclass(frozen=True)
class Shape:
    """A car's side view in metres.

    Attributes:
        length: From bumper to bumper.
        width: Without mirrors.
        belt: Height of the lower edge of the windows at the rear and at the front.
        nose: Height of the front end of the bonnet.
        roof: Height.
        cabin: x over half the length of the cabin's rear foot and top, front top and foot.
        wheel: Radius.
    """

    length: float
    width: float
    belt: tuple[float, float]
    nose: float
    roof: float
    cabin: tuple[float, float, float, float]
    wheel: float


SHAPES: dict[str, tuple[float, Shape]] = {
    "hatchback": (
        0.3,
        Shape(4.1, 1.76, (0.98, 0.94), 0.74, 1.48, (-0.97, -0.74, 0.16, 0.58), 0.31),
    ),
    "saloon": (0.2, Shape(4.6, 1.82, (0.98, 0.92), 0.70, 1.44, (-0.76, -0.42, 0.14, 0.50), 0.32)),
    "estate": (0.16, Shape(4.6, 1.80, (0.96, 0.92), 0.72, 1.48, (-0.97, -0.82, 0.12, 0.48), 0.32)),
    "off-roader": (
        0.2,
        Shape(4.5, 1.88, (1.10, 1.08), 0.92, 1.72, (-0.97, -0.82, 0.16, 0.50), 0.37),
    ),
    "van": (0.14, Shape(4.9, 1.94, (1.22, 1.16), 0.98, 2.02, (-0.98, -0.95, 0.36, 0.72), 0.34)),
}


def draw_car(rng: np.random.Generator, lit: bool) -> Body:
    """A car of any kind and colour."""
    names = list(SHAPES)
    odds = np.array([SHAPES[name][0] for name in names])
    name = names[rng.choice(len(names), p=odds / odds.sum())]
    common = rng.random() < 0.68
    paint = PAINTS[rng.integers(_COMMON) if common else rng.integers(_COMMON, len(PAINTS))]
    closed = name == "van" and rng.random() < 0.5
    return build_car(name, lit, closed).painted(np.asarray(paint) * rng.uniform(0.92, 1.06))


@cache
def build_car(name: str, lit: bool, closed: bool) -> Body:
    """A car without paint.

    Args:
        name: One of SHAPES.
        lit: Whether its lamps shine.
        closed: Whether it has no windows at the back.
    """
    shape = SHAPES[name][1]
    half, wide = shape.length / 2, shape.width / 2
    axles = (-half * 0.62, half * 0.64)
    lower = _lower(shape)
    lamps = (shape.nose - 0.16, shape.nose + 0.01)
    add_lamps(lower, (-half - 0.01, half + 0.01), lamps, (wide - 0.46, wide - 0.06), lit)
    lower.add_end(half + 0.012, (0.36, shape.nose - 0.14), (-wide + 0.5, wide - 0.5), DARK)
    lower.add_end(-half - 0.012, (0.3, 0.46), (-wide + 0.12, wide - 0.12), DARK)
    add_plates(lower, (-half - 0.02, half + 0.02), 0.48)
    add_wheels(lower, axles, shape.wheel, wide + 0.005, (150, 152, 156))
    parts = [*tyres(axles, shape.wheel, wide - 0.02), lower, _cabin(shape, closed)]
    return Body(parts, CAR, (-half, half), wide, shape.roof)


def _lower(shape: Shape) -> Part:
    """The body below the windows."""
    half, wide = shape.length / 2, shape.width / 2
    rear, front = shape.belt
    profile = [
        (-half + 0.12, 0.24), (-half, 0.42), (-half, rear - 0.16), (-half + 0.03, rear - 0.05),
        (-half + 0.1, rear), (shape.cabin[3] * half, front), (half - 0.3, shape.nose + 0.09),
        (half - 0.08, shape.nose + 0.02), (half, shape.nose - 0.1), (half, 0.40),
        (half - 0.14, 0.24),
    ]  # fmt: skip
    widths = [wide] * len(profile)
    for i in (0, 6, 7, 8, 9, 10):
        widths[i] -= 0.07
    part = extrude(profile, widths, PAINT, layer=1)
    sill = [(-half + 0.1, 0.24), (half - 0.12, 0.24), (half - 0.04, 0.4), (-half + 0.02, 0.4)]
    part.add_side(sill, wide + 0.002, Tone(0.45))
    nose = half - 0.35
    gleam = [
        (-half + 0.06, rear - 0.17),
        (nose, shape.nose - 0.06),
        (nose, shape.nose),
        (-half + 0.06, rear - 0.08),
    ]
    part.add_side(gleam, wide + 0.003, Tone(1.12, 16))
    for x in (-0.36 * half, 0.2 * half):
        part.add_side(
            rectangle((x - 0.012, x + 0.012), (0.42, rear - 0.02)), wide + 0.004, Tone(0.6)
        )
        part.add_side(
            rectangle((x + 0.08, x + 0.24), (rear - 0.26, rear - 0.22)), wide + 0.005, Tone(0.6)
        )
    return part


def _cabin(shape: Shape, closed: bool) -> Part:
    """Roof, pillars and windows."""
    half, wide = shape.length / 2, shape.width / 2
    foot_rear, top_rear, top_front, foot_front = (x * half for x in shape.cabin)
    rear, front = shape.belt
    roof = shape.roof
    base, top = wide - 0.03, wide - 0.17
    third = (top_front - top_rear) / 3
    profile = [
        (foot_rear, rear), (top_rear, roof - 0.06), (top_rear + third * 0.6, roof - 0.01),
        (top_rear + 1.6 * third, roof), (top_front, roof - 0.04), (foot_front, front),
    ]  # fmt: skip
    part = extrude(profile, [base, top, top - 0.03, top - 0.03, top, base], PAINT, layer=2)
    pillar = -0.14 * half
    spans = [((pillar + 0.05, pillar + 0.05), (foot_front - 0.16, top_front - 0.05))]
    if not closed:
        spans.append(((foot_rear + 0.16, top_rear + 0.1), (pillar - 0.05, pillar - 0.05)))
    for (x0, x1), (x2, x3) in spans:
        outline = []
        for low, high, share in ((x0, x1, 0.06), (x0, x1, 0.88), (x2, x3, 0.88), (x2, x3, 0.06)):
            y = rear + (roof - 0.05 - rear) * share
            outline.append((low + (high - low) * share, y, base + (top - base) * share + 0.006))
        part.add(outline, GLASS)
        part.add([(x, y, -z) for x, y, z in outline], GLASS)
    _add_screens(
        part, (foot_rear, top_rear, top_front, foot_front), (rear, front, roof), (base, top), closed
    )
    return part


def _add_screens(
    part: Part, x: tuple[float, float, float, float], y: tuple[float, float, float],
    z: tuple[float, float], closed: bool,
) -> None:  # fmt: skip
    """Windscreen and rear window, each with a streak of reflected sky."""
    rear, front, roof = y
    screens = [(x[3] + 0.012, x[2] + 0.012, front)]
    if not closed:
        screens.append((x[0] - 0.012, x[1] - 0.012, rear))
    for low_x, high_x, low_y in screens:
        foot = np.array([low_x, low_y, z[0] - 0.1])
        head = np.array([high_x, roof - 0.07, z[1] - 0.08])
        low, high = foot + (head - foot) * 0.08, foot + (head - foot) * 0.94
        mirror = np.array([1, 1, -1])
        part.add([low, low * mirror, high * mirror, high], GLASS)
        streak = [low * (1, 1, 0.1), low * (1, 1, 0.5), high * (1, 1, 0.75), high * (1, 1, 0.3)]
        part.add(streak, (128, 142, 154))
