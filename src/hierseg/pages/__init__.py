"""HTML pages that show results, the records of images that they show, and their assets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.pages.charts import Series, draw_curves, draw_points, pick_color
    from hierseg.pages.film_page import FilmFrame, FilmPage, Strip, write_film_page
    from hierseg.pages.page import FILE, Page, write_page
    from hierseg.pages.panels import (
        FOLDER,
        LONGEST,
        fill_scales,
        list_panels,
        write_overlay_panel,
        write_panels,
    )
    from hierseg.pages.records import ImageRecord, Panel
    from hierseg.pages.runs_page import MARK, Chart, RunsPage, render_runs_page
    from hierseg.pages.sections import (
        ClassFigures,
        Section,
        render_charts,
        render_class_table,
        render_table,
        render_text,
    )
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "charts": (
                "Series",
                "draw_curves",
                "draw_points",
                "pick_color",
            ),
            "film_page": (
                "FilmFrame",
                "FilmPage",
                "Strip",
                "write_film_page",
            ),
            "page": (
                "FILE",
                "Page",
                "write_page",
            ),
            "panels": (
                "FOLDER",
                "LONGEST",
                "fill_scales",
                "list_panels",
                "write_overlay_panel",
                "write_panels",
            ),
            "records": (
                "ImageRecord",
                "Panel",
            ),
            "runs_page": (
                "MARK",
                "Chart",
                "RunsPage",
                "render_runs_page",
            ),
            "sections": (
                "ClassFigures",
                "Section",
                "render_charts",
                "render_class_table",
                "render_table",
                "render_text",
            ),
        },
    )

__all__ = [
    "FILE",
    "FOLDER",
    "LONGEST",
    "MARK",
    "Chart",
    "ClassFigures",
    "FilmFrame",
    "FilmPage",
    "ImageRecord",
    "Page",
    "Panel",
    "RunsPage",
    "Section",
    "Series",
    "Strip",
    "draw_curves",
    "draw_points",
    "fill_scales",
    "list_panels",
    "pick_color",
    "render_charts",
    "render_class_table",
    "render_runs_page",
    "render_table",
    "render_text",
    "write_film_page",
    "write_overlay_panel",
    "write_page",
    "write_panels",
]
