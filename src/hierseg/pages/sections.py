"""Sections of a page: tables of classes, charts, commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        title: Heading.
        content: HTML, in which text is escaped already.
    """

    title: str
    content: str


class ClassFigures(NamedTuple):
    """A class's row in a table.

    Attributes:
        name: Name of the class.
        color: Its colour as #rrggbb.
        iou: Its IoU in [0, 1]; None if it does not occur.
        cells: Further cells.
    """

    name: str
    color: str
    iou: float | None
    cells: Sequence[str] = ()


def render_sections(sections: Sequence[Section]) -> str:
    """Sections as HTML."""
    return "\n".join(
        f'<section class="section"><h2>{escape(one.title)}</h2>{one.content}</section>'
        for one in sections
    )


def render_class_table(rows: Sequence[ClassFigures], heading: Sequence[str]) -> str:
    """A table as HTML, with a bar for each class's IoU; ``heading`` names the further columns."""
    head = "".join(f"<th>{escape(one)}</th>" for one in ("class", "IoU", "", *heading))
    body = "".join(map(_render_row, rows))
    return (
        f'<div class="figures"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def render_table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of text as HTML; the first cell of a row names the row."""
    head = "".join(f"<th>{escape(one)}</th>" for one in heading)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<div class="figures"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def render_charts(charts: Sequence[tuple[str, str]]) -> str:
    """Charts as HTML, side by side, from captions and SVG; empty charts are left out."""
    figures = "".join(
        f"<figure><figcaption>{escape(caption)}</figcaption>{drawing}</figure>"
        for caption, drawing in charts
        if drawing
    )
    return f'<div class="charts">{figures}</div>'


def render_text(text: str, is_aligned: bool = False) -> str:
    """Preformatted text as HTML; with ``is_aligned``, lines are not wrapped on a narrow page."""
    name = ' class="aligned"' if is_aligned else ""
    return f"<pre{name}>{escape(text)}</pre>"


def _render_row(row: ClassFigures) -> str:
    iou = "-" if row.iou is None else f"{row.iou:.3f}"
    width = 0.0 if row.iou is None else 100 * row.iou
    others = "".join(f"<td>{escape(cell)}</td>" for cell in row.cells)
    return (
        f'<tr><td><i style="background:{row.color}"></i>{escape(row.name)}</td><td>{iou}</td>'
        f'<td class="bar-cell"><b style="width:{width:.1f}%;background:{row.color}"></b></td>'
        f"{others}</tr>"
    )
