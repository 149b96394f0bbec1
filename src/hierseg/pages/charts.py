"""Charts as SVG for a page: curves of runs, and a figure against a setting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 14, 44
COLORS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#8c564b",
    "#444444", "#b8a000",
)  # fmt: skip
"""The colours of Okabe and Ito (2008), which colour-blind people can distinguish, and four more."""
LOG_FROM = 20.0
"""An axis is logarithmic if the largest value is at least so many times the smallest."""


@dataclass(frozen=True)
class Series:
    """Points of one run.

    Attributes:
        name: Name of the run.
        color: Colour of the run, the same in every chart.
        points: (x, y) pairs; x is a number, or the name of a category.
    """

    name: str
    color: str
    points: Sequence[tuple[float | str, float]]


@dataclass(frozen=True)
class Axis:
    """Maps values to pixels.

    Attributes:
        low, high: Values at its ends.
        start, end: Pixels of its ends.
        is_log: Whether it is logarithmic.
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def place(self, value: float) -> float:
        """The pixel of a value."""
        low, high, at = (math.log(v) if self.is_log else v for v in (self.low, self.high, value))
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)

    def list_ticks(self) -> list[float]:
        """Round numbers within the axis, for ticks."""
        if self.is_log:
            return _list_log_ticks(self.low, self.high)
        step = _round_step((self.high - self.low) / 6)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(number * step, 12) for number in range(first, last + 1)]


def draw_curves(series: Sequence[Series], x_title: str, y_title: str) -> str:
    """Draw lines over numbers, such as a figure over epochs, as SVG; empty without points."""
    xs = [float(x) for one in series for x, _ in one.points]
    ys = [y for one in series for _, y in one.points]
    if not xs:
        return ""
    x_axis = Axis(min(xs), max(xs), LEFT, WIDTH - RIGHT)
    y_axis = _make_axis(ys, HEIGHT - BOTTOM, TOP)
    parts = [_draw_frame(y_axis, y_title), *_draw_x_ticks(x_axis, whole=True), _title_x(x_title)]
    for one in series:
        places = [(x_axis.place(float(x)), y_axis.place(y)) for x, y in one.points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>' for x, y in places)
        parts.append(
            _group(
                one, f'<polyline points="{line}" fill="none"/>{dots}', f"{one.points[-1][1]:.4f}"
            )
        )
    return _wrap(parts, f"{y_title} over {x_title}")


def draw_points(series: Sequence[Series], x_title: str, y_title: str) -> str:
    """Draw points over numbers or categories, such as a figure against a setting, as SVG; empty
    without points.
    """
    xs = [x for one in series for x, _ in one.points]
    ys = [y for one in series for _, y in one.points]
    if not xs:
        return ""
    y_axis = _make_axis(ys, HEIGHT - BOTTOM, TOP)
    numbers = [x for x in xs if isinstance(x, int | float)]
    categories = list(dict.fromkeys(map(str, xs))) if len(numbers) < len(xs) else []
    if categories:
        room = (WIDTH - LEFT - RIGHT) / len(categories)
        places = {name: LEFT + room * (at + 0.5) for at, name in enumerate(categories)}
        ticks = [_tick(x, _shorten(name, int(room / 7))) for name, x in places.items()]
    else:
        low, high = min(numbers), max(numbers)
        is_log = low > 0 and high / low >= LOG_FROM
        margin = 24
        axis = Axis(low, high, LEFT + margin, WIDTH - RIGHT - margin, is_log)
        places = {}
        values = sorted(set(numbers))
        ticks = (
            [_tick(axis.place(value), f"{value:g}") for value in values]
            if len(values) <= 6
            else _draw_x_ticks(axis)
        )
    parts = [_draw_frame(y_axis, y_title), *ticks, _title_x(x_title)]
    for one in series:
        for x, y in one.points:
            across = places[str(x)] if categories else axis.place(float(x))
            dot = f'<circle cx="{across:.1f}" cy="{y_axis.place(y):.1f}" r="5"/>'
            parts.append(_group(one, dot, f"{y:.4f}"))
    return _wrap(parts, f"{y_title} against {x_title}")


def pick_color(number: int) -> str:
    """The colour of a run by its index; after the first ten, hues that differ clearly."""
    if number < len(COLORS):
        return COLORS[number]
    return f"hsl({number * 137.5 % 360:.0f} 55% 47%)"


def _make_axis(values: Sequence[float], start: float, end: float) -> Axis:
    low, high = min(values), max(values)
    margin = (high - low) * 0.06 or abs(high) * 0.05 or 0.5
    return Axis(low - margin, high + margin, start, end)


def _draw_frame(axis: Axis, title: str) -> str:
    parts = []
    for value in axis.list_ticks():
        y = axis.place(value)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{HEIGHT - BOTTOM}" '
        f'y2="{HEIGHT - BOTTOM}"/><text class="title" text-anchor="middle" '
        f'transform="translate(14 {middle}) rotate(-90)">{escape(title)}</text>'
    )
    return "".join(parts)


def _draw_x_ticks(axis: Axis, whole: bool = False) -> list[str]:
    values = [value for value in axis.list_ticks() if not whole or value == int(value)]
    return [_tick(axis.place(value), f"{value:g}") for value in values or [axis.low]]


def _tick(x: float, text: str) -> str:
    y = HEIGHT - BOTTOM
    return (
        f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + 4}"/>'
        f'<text x="{x:.1f}" y="{y + 17}" text-anchor="middle">{escape(text)}</text>'
    )


def _title_x(title: str) -> str:
    middle = (LEFT + WIDTH - RIGHT) / 2
    return (
        f'<text class="title" x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{escape(title)}</text>"
    )


def _group(series: Series, shapes: str, value: str) -> str:
    return (
        f'<g class="run" data-run="{escape(series.name)}" style="--c:{series.color}">'
        f"<title>{escape(series.name)}: {value}</title>{shapes}</g>"
    )


def _wrap(parts: Sequence[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )


def _round_step(rough: float) -> float:
    if rough <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999)


def _list_log_ticks(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if last - first <= 2 else (1,)
    ticks = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    return [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]


def _shorten(text: str, longest: int) -> str:
    return text if len(text) <= max(6, longest) else f"{text[: max(5, longest - 1)]}…"
