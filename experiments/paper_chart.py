"""The chart of `paper_table.py` and `paper_costs.py`, beside that of gates and engines, as SVG.

    python experiments/paper_chart.py [--results experiments/results] --out docs/images/results.svg

On the left, each way of combining scales: mean mIoU on CamVid's val over what an image costs, bars
for the standard deviation over seeds. On the right, streetlite by engine and budget.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from curves import Panel, Point, draw_chart
from ending import run_main
from paper_table import VARIANTS
from run_rows import read_rows

Curves = dict[str, list[Point]]


def gather_variants(results: Path) -> Curves:
    """The points of each variant, a point for each set of scales that it was run at."""
    costs = read_rows(results / "paper_costs.csv")
    seconds = {(row["variant"], row["scales"]): float(row["run_seconds"]) for row in costs}
    rows = read_rows(results / "paper_table.csv")
    curves: Curves = {}
    for key in dict.fromkeys((row["variant"], row["scales"]) for row in rows):
        found = [row for row in rows if (row["variant"], row["scales"]) == key]
        values = [100 * float(row["miou"]) for row in found]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        count = str(len(key[1].split()))
        point = Point(1000 * seconds[key], statistics.mean(values), spread, count)
        title = VARIANTS[key[0]].title
        curves.setdefault(f"{title}; 3: average" if key[0] == "single" else title, []).append(point)
    return curves


def gather_engines(results: Path) -> Curves:
    """The points of each engine at 360x480, for the budgets at which its mIoU was measured."""
    milliseconds = {
        (row["engine"], row["budget"]): float(row["ms"])
        for row in read_rows(results / "gates-time.csv")
        if row["size"] == "360x480"
    }
    curves: Curves = {}
    for row in read_rows(results / "gates-miou.csv"):
        cost = milliseconds[row["engine"], row["budget"]]
        note = f"{100 * float(row['budget']):.0f}"
        name = "modules, eager float32" if row["engine"] == "modules" else row["engine"]
        curves.setdefault(name, []).append(Point(cost, 100 * float(row["miou"]), 0.0, note))
    return curves


def main() -> None:
    """Draw the chart from the csv files of a folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=Path("experiments/results"))
    parser.add_argument("--out", type=Path, required=True, help="the SVG")
    arguments = parser.parse_args()
    panels = [
        Panel(
            "mIoU (%) on CamVid val, half size; on a point: number of scales",
            "processor ms an image of 180x240, one thread",
            {**gather_variants(arguments.results)},
            is_log=True,
        ),
        Panel(
            "streetlite at 0.5 1 2: mIoU (%); on a point: % of the work",
            "ms an image of 360x480, two cores",
            {**gather_engines(arguments.results)},
            is_log=True,
            least=1.0,
        ),
    ]
    arguments.out.write_text(draw_chart(panels), encoding="utf-8")


if __name__ == "__main__":
    run_main(main)
