"""A page that compares runs: a table, curves, and a figure against each setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template

from hierseg.pages.policy import describe_policy

MARK = "<!-- written by hierseg runs -->"


@dataclass(frozen=True)
class Chart:
    """A chart of the page.

    Attributes:
        title: Title above the chart.
        drawing: The chart as SVG.
    """

    title: str
    drawing: str


@dataclass(frozen=True)
class RunsPage:
    """Content of the page.

    Attributes:
        title: Heading.
        facts: Short texts beside the heading.
        heading: Titles of the table's columns.
        rows: Cells of each run's row.
        names: Name of each row's run, as in the charts.
        colors: Colour of each row's run.
        curves: Charts over the epochs.
        against: Charts of a figure against a setting.
    """

    title: str
    facts: Sequence[str]
    heading: Sequence[str]
    rows: Sequence[Sequence[str]]
    names: Sequence[str]
    colors: Sequence[str]
    curves: Sequence[Chart]
    against: Sequence[Chart]


def render_runs_page(page: RunsPage) -> str:
    """The page as HTML, with escaped text."""
    assets = resources.files("hierseg.pages") / "assets"
    skeleton = Template((assets / "runs.html").read_text(encoding="utf-8"))
    script = (assets / "runs.js").read_text(encoding="utf-8")
    return skeleton.substitute(
        mark=MARK,
        policy=describe_policy(script),
        title=escape(page.title),
        facts="".join(f"<li>{escape(fact)}</li>" for fact in page.facts),
        heading="".join(
            f'<th><button type="button">{escape(one)}</button></th>' for one in page.heading
        ),
        rows="\n".join(
            _row(cells, name, color)
            for cells, name, color in zip(page.rows, page.names, page.colors, strict=True)
        ),
        curves=_section("Curves", page.curves),
        against=_section("Against the settings that differ", page.against),
        style=(assets / "runs.css").read_text(encoding="utf-8"),
        script=script,
    )


def _row(cells: Sequence[str], name: str, color: str) -> str:
    first = f'<td><i style="background:{color}"></i>{escape(cells[0])}</td>'
    others = "".join(f"<td>{escape(cell)}</td>" for cell in cells[1:])
    return f'<tr data-run="{escape(name)}">{first}{others}</tr>'


def _section(title: str, charts: Sequence[Chart]) -> str:
    if not charts:
        return ""
    figures = "".join(
        f"<figure><figcaption>{escape(chart.title)}</figcaption>{chart.drawing}</figure>"
        for chart in charts
    )
    return f'<section><h2>{escape(title)}</h2><div class="charts">{figures}</div></section>'
