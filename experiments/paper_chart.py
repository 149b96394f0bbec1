"""The chart of `paper_table.py` and `paper_costs.py`, beside that of gates and engines, as SVG.

    python experiments/paper_chart.py --results experiments/results --out docs/images/results.svg

On the left, each way of combining scales: mean mIoU on CamVid's val over what an image costs, bars
for the standard deviation over seeds. On the right, streetlite by engine and budget.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from paper_table import VARIANTS
from run_rows import read_rows

COLORS = {
    "single": "#555555",
    "hier": "#1b9e77",
    "paired": "#d95f02",
    "explicit": "#7570b3",
    "hier-ce": "#e7298a",
    "hier-rmi": "#66a61e",
    "hier-supervised": "#e6ab02",
    "hier-uniform": "#1f78b4",
    "modules": "#555555",
    "torch float32": "#7570b3",
    "openvino float32": "#d95f02",
    "openvino bf16": "#1b9e77",
}
WIDTH, HEIGHT, LEFT, TOP, GAP, LEGEND = 430, 330, 64, 44, 80, 20


class Point(NamedTuple):
    """A figure: milliseconds an image, mIoU in per cent, its spread, and what is written at it."""

    cost: float
    miou: float
    spread: float
    note: str


Curves = dict[str, list[Point]]


def gather_variants(results: Path) -> Curves:
    """The points of each variant, a point for each set of scales that it was run at."""
    seconds = {
        (row["variant"], row["scales"]): float(row["run_seconds"])
        for row in read_rows(results / "paper_costs.csv")
    }
    rows, curves = read_rows(results / "paper_table.csv"), Curves()
    for variant, scales in dict.fromkeys((row["variant"], row["scales"]) for row in rows):
        values = [
            100 * float(row["miou"])
            for row in rows
            if (row["variant"], row["scales"]) == (variant, scales)
        ]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        cost = 1000 * seconds[variant, scales]
        point = Point(cost, statistics.mean(values), spread, scales.split()[-1])
        curves.setdefault(variant, []).append(point._replace(note=_name_scales(scales)))
    return curves


def gather_engines(results: Path) -> Curves:
    """The points of each engine at 360x480, for the budgets at which its mIoU was measured."""
    milliseconds = {
        (row["engine"], row["budget"]): float(row["ms"])
        for row in read_rows(results / "gates-time.csv")
        if row["size"] == "360x480"
    }
    curves = Curves()
    for row in read_rows(results / "gates-miou.csv"):
        cost = milliseconds[row["engine"], row["budget"]]
        point = Point(cost, 100 * float(row["miou"]), 0.0, f"{float(row['budget']):.0%}")
        curves.setdefault(row["engine"], []).append(point)
    return curves


def _name_scales(scales: str) -> str:
    return {"1": "1", "0.5 1": "2", "0.5 1 2": "3", "0.25 0.5 1 2": "4"}.get(scales, scales)


def draw_chart(panels: Sequence[tuple[str, str, Curves, dict[str, str]]]) -> str:
    """SVG of panels side by side: title, name of the horizontal axis, points, and their names."""
    width = LEFT + len(panels) * (WIDTH + GAP)
    height = TOP + HEIGHT + 56 + LEGEND * math.ceil(max(len(one[2]) for one in panels) / 2)
    drawn = "".join(
        _draw_panel(LEFT + place * (WIDTH + GAP), *panel) for place, panel in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="12"><rect width="{width}" height="{height}" '
        f'fill="#fff"/>{drawn}</svg>\n'
    )


def _draw_panel(left: int, title: str, axis: str, curves: Curves, names: dict[str, str]) -> str:
    points = [point for curve in curves.values() for point in curve]
    first, last = min(p.cost for p in points) / 1.25, max(p.cost for p in points) * 1.25
    low, high = min(p.miou - p.spread for p in points), max(p.miou + p.spread for p in points)
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.5, 1, 2, 5, 10) if (high - low) / s <= 8)
    low, high = (math.floor(low / step) - 0.5) * step, (math.ceil(high / step) + 0.5) * step

    def across(cost: float) -> float:
        return left + math.log(cost / first) / math.log(last / first) * WIDTH

    def down(miou: float) -> float:
        return TOP + (high - miou) / (high - low) * HEIGHT

    parts = [
        f'<text x="{left}" y="{TOP - 14}" font-size="14" font-weight="bold">{title}</text>',
        f'<text x="{left + WIDTH / 2}" y="{TOP + HEIGHT + 36}" text-anchor="middle">{axis}</text>',
        f'<rect x="{left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#bbb"/>',
    ]
    for place in range(math.ceil(low / step), math.floor(high / step) + 1):
        y, shown = down(place * step), f"{place * step:.{2 if step < 0.1 else 1}f}"
        parts.append(f'<path d="M{left} {y:.1f}h{WIDTH}" stroke="#eee"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{shown}</text>')
    for cost in _ticks(first, last):
        x = across(cost)
        parts.append(f'<path d="M{x:.1f} {TOP + HEIGHT}v-5" stroke="#888"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{cost:g}</text>'
        )
    for place, (key, curve) in enumerate(curves.items()):
        color = COLORS[key]
        line = " ".join(f"{across(p.cost):.1f},{down(p.miou):.1f}" for p in sorted(curve))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="1.5"/>')
        for point in curve:
            x, y = across(point.cost), down(point.miou)
            if point.spread:
                ends = down(point.miou + point.spread), down(point.miou - point.spread)
                parts.append(
                    f'<path d="M{x:.1f} {ends[0]:.1f}V{ends[1]:.1f}" stroke="{color}" '
                    'stroke-opacity="0.4" stroke-width="3"/>'
                )
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="{color}"/>')
            small = "" if len(point.note) < 2 else ' font-size="8"'
            parts.append(
                f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" fill="#fff"{small}>'
                f"{point.note.removesuffix('%')}</text>"
            )
        x, y = left + place % 2 * WIDTH / 2, TOP + HEIGHT + 62 + place // 2 * LEGEND
        parts.append(f'<circle cx="{x + 6:.1f}" cy="{y - 4}" r="5" fill="{color}"/>')
        parts.append(f'<text x="{x + 18:.1f}" y="{y}">{names.get(key, key)}</text>')
    return "".join(parts)


def _ticks(first: float, last: float) -> list[float]:
    """Round figures between two, for a logarithmic axis."""
    powers = [10.0**power for power in range(-2, 6)]
    return [base * power for power in powers for base in (1, 2, 5) if first <= base * power <= last]


def main() -> None:
    """Draw the chart from the csv files of a folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=Path("experiments/results"))
    parser.add_argument("--out", type=Path, required=True, help="the SVG")
    arguments = parser.parse_args()
    titles = {key: variant.title for key, variant in VARIANTS.items()}
    left = (
        "mIoU (%) on CamVid val, half size; the figure is the number of scales",
        "processor ms an image of 180x240, one thread",
        gather_variants(arguments.results),
        titles | {"single": "trained at one scale; 3: averaged"},
    )
    right = (
        "streetlite, 0.5 1 2: mIoU (%); the figure is the share of the work",
        "ms an image of 360x480, two cores",
        gather_engines(arguments.results),
        {"modules": "modules, eager float32"},
    )
    arguments.out.write_text(draw_chart([left, right]), encoding="utf-8")


if __name__ == "__main__":
    main()
