"""The page of a comparison of runs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hierseg.pages import Chart, RunsPage, Series, draw_curves, draw_points, pick_color
from hierseg.sweeps.comparison import Comparison, show_setting
from hierseg.wording import count

MOST_CHARTS = 12
MOST_CATEGORIES = 12
_TITLES = {"miou": "mean IoU", "loss": "training loss", "pixel_accuracy": "pixel accuracy"}


def make_page(comparison: Comparison, title: str) -> RunsPage:
    """The page of compared runs."""
    heading, rows = comparison.list_cells()
    names = [record.name for record in comparison.records]
    colors = [pick_color(number) for number in range(len(names))]
    states = Counter(record.status for record in comparison.records)
    facts = [count(len(names), "run"), *(f"{number} {state}" for state, number in states.items())]
    against = [
        chart
        for name in comparison.differing
        if (chart := _draw_against(comparison, name, colors)) is not None
    ]
    return RunsPage(
        title=title,
        facts=facts,
        heading=heading,
        rows=rows,
        names=names,
        colors=colors,
        curves=_draw_curves(comparison, colors),
        against=against[:MOST_CHARTS],
    )


def _draw_curves(comparison: Comparison, colors: list[str]) -> list[Chart]:
    charts = []
    for figure in dict.fromkeys((comparison.figure, "miou", "loss")):
        series = [
            Series(record.name, color, record.curves.get(figure, []))
            for record, color in zip(comparison.records, colors, strict=True)
            if record.curves.get(figure)
        ]
        if series:
            name = _TITLES.get(figure, figure)
            charts.append(Chart(f"{name} over epochs", draw_curves(series, "epoch", name)))
    return charts


def _draw_against(comparison: Comparison, setting: str, colors: list[str]) -> Chart | None:
    """A chart of the best figure against a setting; None if no run has both."""
    figure = comparison.figure
    values = [record.settings.get(setting) for record in comparison.records]
    if not all(_is_number(value) for value in values if value is not None):
        values = [show_setting(value) or "none" for value in values]
        if len(set(values)) > MOST_CATEGORIES:
            return None
    series = [
        Series(record.name, color, [(value, best)])
        for record, color, value in zip(comparison.records, colors, values, strict=True)
        if value is not None and (best := record.best(figure)) is not None
    ]
    if not series:
        return None
    name = f"best {_TITLES.get(figure, figure)}"
    return Chart(f"{name} against {setting}", draw_points(series, setting, name))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
