"""Charts of curves as SVG: panels side by side, a curve a name, its points marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

WIDTH, HEIGHT, LEFT, TOP, GAP, LEGEND = 430, 330, 64, 44, 80, 20
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
PALETTE = (
    "#555555",
    "#1b9e77",
    "#d95f02",
    "#7570b3",
    "#e7298a",
    "#66a61e",
    "#e6ab02",
    "#1f78b4",
)


class Point(NamedTuple):
    """A point of a curve; ``spread`` is a bar up and down, ``note`` is written on the point."""

    x: float
    y: float
    spread: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Panel:
    """A panel: its title, the name of its horizontal axis, and its curves by name.

    ``is_log``: whether the horizontal axis is logarithmic; then its values are above 0. ``least``:
    smallest range of the vertical axis, so that differences without weight look small.
    """

    title: str
    axis: str
    curves: dict[str, Sequence[Point]]
    is_log: bool = False
    least: float = 0.0


def draw_chart(panels: Sequence[Panel]) -> str:
    """SVG of panels side by side, each with its legend below."""
    width = LEFT + len(panels) * (WIDTH + GAP)
    lines = math.ceil(max(len(panel.curves) for panel in panels) / 2)
    height = TOP + HEIGHT + 56 + LEGEND * lines
    drawn = "".join(
        _Drawing(panel, LEFT + place * (WIDTH + GAP)).draw() for place, panel in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="12"><rect width="{width}" height="{height}" '
        f'fill="#fff"/>{drawn}</svg>\n'
    )


class _Drawing:
    def __init__(self, panel: Panel, left: int) -> None:
        self.panel, self.left = panel, left
        points = [point for curve in panel.curves.values() for point in curve]
        xs = [point.x for point in points]
        self.first, self.last = min(xs), max(xs)
        if panel.is_log:
            self.first, self.last = self.first / 1.25, self.last * 1.25
        low, high = min(p.y - p.spread for p in points), max(p.y + p.spread for p in points)
        missing = max(0.0, panel.least - (high - low)) / 2
        low, high = low - missing, high + missing
        self.step = next(step for step in STEPS if (high - low) / step <= 8)
        self.low = (math.floor(low / self.step) - 0.5) * self.step
        self.high = (math.ceil(high / self.step) + 0.5) * self.step

    def across(self, x: float) -> float:
        if self.panel.is_log:
            share = math.log(x / self.first) / math.log(self.last / self.first)
        else:
            share = 0.03 + 0.94 * (x - self.first) / (self.last - self.first)
        return self.left + share * WIDTH

    def down(self, y: float) -> float:
        return TOP + (self.high - y) / (self.high - self.low) * HEIGHT

    def draw(self) -> str:
        left, middle = self.left, self.left + WIDTH / 2
        title, axis = self.panel.title, self.panel.axis
        parts = [
            f'<text x="{left}" y="{TOP - 14}" font-size="12" font-weight="bold">{title}</text>',
            f'<text x="{middle}" y="{TOP + HEIGHT + 36}" text-anchor="middle">{axis}</text>',
            f'<rect x="{left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" fill="none" '
            'stroke="#bbb"/>',
        ]
        for place in range(math.ceil(self.low / self.step), math.floor(self.high / self.step) + 1):
            y, shown = self.down(place * self.step), f"{place * self.step:.10g}"
            parts.append(f'<path d="M{left} {y:.1f}h{WIDTH}" stroke="#eee"/>')
            parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{shown}</text>')
        for x in self._ticks():
            at = self.across(x)
            parts.append(f'<path d="M{at:.1f} {TOP + HEIGHT}v-5" stroke="#888"/>')
            parts.append(
                f'<text x="{at:.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{x:.10g}</text>'
            )
        for place, (name, curve) in enumerate(self.panel.curves.items()):
            color = PALETTE[place % len(PALETTE)]
            parts.append(self._draw_curve(curve, color))
            x, y = left + place % 2 * WIDTH / 2, TOP + HEIGHT + 62 + place // 2 * LEGEND
            parts.append(f'<circle cx="{x + 6:.1f}" cy="{y - 4}" r="5" fill="{color}"/>')
            parts.append(f'<text x="{x + 18:.1f}" y="{y}">{name}</text>')
        return "".join(parts)

    def _ticks(self) -> list[float]:
        first, last = self.first, self.last
        if self.panel.is_log:
            powers = [10.0**power for power in range(-2, 6)]
            every = [base * power for power in powers for base in (1, 2, 5)]
            return [x for x in every if first <= x <= last]
        step = next(step for step in STEPS if (last - first) / step <= 8)
        return [step * k for k in range(math.ceil(first / step), math.floor(last / step) + 1)]

    def _draw_curve(self, curve: Sequence[Point], color: str) -> str:
        line = " ".join(f"{self.across(p.x):.1f},{self.down(p.y):.1f}" for p in sorted(curve))
        parts = [f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="1.5"/>']
        for point in curve:
            x, y = self.across(point.x), self.down(point.y)
            if point.spread:
                top, bottom = self.down(point.y + point.spread), self.down(point.y - point.spread)
                parts.append(
                    f'<path d="M{x:.1f} {top:.1f}V{bottom:.1f}" stroke="{color}" '
                    'stroke-opacity="0.4" stroke-width="3"/>'
                )
            if not point.note:
                continue
            size = 12 if len(point.note) < 2 else 8
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="{color}"/>')
            parts.append(
                f'<text x="{x:.1f}" y="{y + size / 3:.1f}" text-anchor="middle" fill="#fff" '
                f'font-size="{size}">{point.note}</text>'
            )
        return "".join(parts)
