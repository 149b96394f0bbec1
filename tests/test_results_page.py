"""The figures of docs/results.md are those of the csv files in experiments/results."""

from __future__ import annotations

import statistics
from pathlib import Path

from support.scripts import load_script

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
RESULTS = ROOT / "experiments" / "results"


def test_the_papers_table_is_what_its_script_prints() -> None:
    script = load_script("paper_table")
    rows = script.read_rows(RESULTS / script.CSV)
    figures = [
        [cell.strip().strip("*") for cell in line.split("|")]
        for line in script.format_rows(rows).splitlines()
        if "±" in line
    ]
    shown = [[cell.strip().strip("*") for cell in line.split("|")] for line in PAGE.splitlines()]
    assert len(figures) >= 15
    for cells in figures:
        assert any(set(cells) <= set(line) for line in shown), cells


def test_the_students_are_those_of_the_csv(tmp_path: Path) -> None:
    script = load_script("distilled_students")
    rows = [row for row in script.read_rows(RESULTS / script.CSV) if row["scales"] == "1"]
    table = PAGE[PAGE.index("| student learns") :].split("\n\n")[0].replace("*", "")
    lines = [[cell.strip() for cell in line.split("|")] for line in table.splitlines()[2:]]
    variants = list(script.list_students(tmp_path))
    assert len(lines) == len(variants) == len({row["variant"] for row in rows})
    for line, variant in zip(lines, variants, strict=True):
        own = [row for row in rows if row["variant"] == variant]
        mious = [100 * float(row["miou"]) for row in own]
        spread = f" ± {statistics.stdev(mious):.2f}" if len(mious) > 1 else ""
        assert line[2:4] == [str(len(own)), f"{statistics.mean(mious):.2f}{spread}"]
        for cell, key, digits in zip(
            line[4:9],
            ("pixel_accuracy", "iou_car", "iou_fence", "iou_pedestrian", "iou_bicyclist"),
            (2, 0, 0, 0, 0),
            strict=True,
        ):
            mean = statistics.mean(100 * float(row[key]) for row in own)
            assert abs(float(cell) - mean) <= 0.51 * 10**-digits, (variant, key, mean)
