"""Ends runs early, by their curves and those of the other runs of the sweep."""

from __future__ import annotations

import csv
import math
import statistics
from pathlib import Path

from hierseg.sweeps.folder import RunPlace, list_places
from hierseg.sweeps.plan import EarlyStop

Curve = list[tuple[int, float]]
"""(epoch, figure) of each validation."""


def read_curve(run: Path, metric: str) -> Curve:
    """A column of ``epochs.csv``; empty if there is none yet."""
    try:
        with (run / "epochs.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
    curve: Curve = []
    for row in rows:
        try:
            epoch, value = int(row["epoch"]), float(row[metric])
        except (KeyError, TypeError, ValueError):  # not validated, or a line not fully written
            continue
        if math.isfinite(value):
            curve.append((epoch, value))
    return curve


def find_best(curve: Curve, smaller_is_better: bool) -> float | None:
    """The best figure of a curve."""
    values = [value for _, value in curve]
    return (min if smaller_is_better else max)(values, default=None)


def find_reason(place: RunPlace, rule: EarlyStop) -> str:
    """The reason for ending a run now; empty to let it go on."""
    sign = -1 if rule.smaller_is_better else 1
    curve = [(epoch, sign * value) for epoch, value in read_curve(place.run, rule.metric)]
    if not curve or curve[-1][0] < rule.after:
        return ""
    values = [value for _, value in curve]
    since_best = len(values) - 1 - values.index(max(values))
    if rule.patience and since_best >= rule.patience:
        return f"{since_best} validations without a better {rule.metric}"
    if not rule.median:
        return ""
    epoch = curve[-1][0]
    others = []
    for other in list_places(place.path.parent):
        if other.path != place.path:
            theirs = read_curve(other.run, rule.metric)
            reached = [sign * value for at, value in theirs if at <= epoch]
            if reached and theirs[-1][0] >= epoch:
                others.append(max(reached))
    if others and max(values) < statistics.median(others):
        return f"its {rule.metric} is below the median of {len(others)} other runs"
    return ""
