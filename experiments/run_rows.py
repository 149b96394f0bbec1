"""The lines of an experiment's runs, kept in a csv: what is done already, and what it comes to."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Sequence
from pathlib import Path


def read_rows(path: Path) -> list[dict[str, str]]:
    """The lines that there are."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def add_row(path: Path, row: dict[str, str]) -> None:
    """Append a line, below a header where there is none yet."""
    is_new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def show_spread(rows: Sequence[dict[str, str]], key: str, digits: int = 2) -> str:
    """Mean and standard deviation of a share over the lines, in per cent."""
    values = [100 * float(row[key]) for row in rows]
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"
