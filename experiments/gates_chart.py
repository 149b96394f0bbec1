"""The chart of `experiments/gates.py`: mIoU and boundary IoU over the share of tiles, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from run_rows import read_rows

COLORS = {
    "learned": "#1b9e77",
    "disagreement": "#d95f02",
    "product": "#7570b3",
    "entropy": "#e7298a",
    "weight": "#66a61e",
    "random": "#888888",
    "oracle": "#111111",
}
WIDTH, HEIGHT, LEFT, TOP, GAP = 400, 260, 60, 40, 70
LAST = 0.55  # of the horizontal axis
Row = dict[str, str]


def draw_chart(table: Path, path: Path) -> None:
    """Draw four panels: both kinds of rows, and both measures of each."""
    rows = read_rows(table)
    panels = [
        _draw_panel(rows, kind, key, title, column, line)
        for line, (key, name) in enumerate((("miou", "mIoU"), ("boundary_iou", "boundary IoU")))
        for column, (kind, title) in enumerate(
            (("run", f"{name}, as run by tiles"), ("labels", f"{name}, labels of 60-pixel tiles"))
        )
    ]
    width, height = LEFT + 2 * (WIDTH + GAP), TOP + 2 * (HEIGHT + GAP) + 20
    gates = [gate for gate in COLORS if any(row["gate"] == gate for row in rows)]
    legend = "".join(
        f'<circle cx="{LEFT + 120 * place}" cy="{height - 14}" r="4" fill="{COLORS[gate]}"/>'
        f'<text x="{LEFT + 120 * place + 9}" y="{height - 10}">{gate}</text>'
        for place, gate in enumerate(gates)
    )
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="12"><rect width="{width}" height="{height}" '
        f'fill="#fff"/>{"".join(panels)}{legend}</svg>\n',
        encoding="utf-8",
    )


def _draw_panel(
    rows: Sequence[Row], kind: str, key: str, title: str, column: int, line: int
) -> str:
    """Curves of all gates, the oracle's as far as it goes, and lines for none and all tiles."""
    ends = {row["gate"]: 100 * float(row[key]) for row in rows if row["gate"] in ("none", "full")}
    curves = {
        gate: [(float(row["tiles"]), 100 * float(row[key])) for row in rows if _is(row, kind, gate)]
        for gate in COLORS
    }
    shown = [y for gate, points in curves.items() if gate != "oracle" for _, y in points]
    low, high = min([*shown, *ends.values()]) - 0.1, max([*shown, *ends.values()]) + 0.4
    left, top = LEFT + column * (WIDTH + GAP), TOP + line * (HEIGHT + GAP)

    def at(x: float, y: float) -> tuple[float, float]:
        return left + x / LAST * WIDTH, top + (high - min(y, high)) / (high - low) * HEIGHT

    parts = [f'<text x="{left}" y="{top - 10}" font-weight="bold">{title}</text>']
    parts.append(
        f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#bbb"/>'
    )
    for share in (0.1, 0.2, 0.3, 0.4, 0.5):
        x, _ = at(share, low)
        parts.append(f'<text x="{x:.0f}" y="{top + HEIGHT + 16}" text-anchor="middle">{share:.0%}')
        parts.append("</text>")
    step = 0.25 if high - low < 2 else 0.5
    for place in range(int(low / step) + 1, int(high / step) + 1):
        x, y = at(0, place * step)
        parts.append(f'<text x="{x - 6:.0f}" y="{y + 4:.0f}" text-anchor="end">{place * step:.2f}')
        parts.append(f'</text><path d="M{x:.0f} {y:.1f}h{WIDTH}" stroke="#eee"/>')
    for name, value in ends.items():
        x, y = at(0, value)
        parts.append(f'<path d="M{x:.0f} {y:.1f}h{WIDTH}" stroke="#555" stroke-dasharray="4 3"/>')
        parts.append(f'<text x="{left + WIDTH + 4}" y="{y + 4:.0f}" fill="#555">{name}</text>')
    for gate, points in curves.items():
        places = [at(0, ends["none"])] + [at(*point) for point in sorted(points)]
        if points:
            drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            parts.append(
                f'<polyline points="{drawn}" fill="none" stroke="{COLORS[gate]}" stroke-width="2"/>'
            )
    return "".join(parts)


def _is(row: Row, kind: str, gate: str) -> bool:
    return row["kind"] == kind and row["gate"] == gate
