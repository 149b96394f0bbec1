"""Pages to look at: what they show of each image, and their assets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.pages.charts import Series, draw_curves, draw_points, pick_color
    from hierseg.pages.page import FILE, Page, Table, write_page
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
            "page": (
                "FILE",
                "Page",
                "Table",
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
        },
    )

__all__ = [
    "FILE",
    "FOLDER",
    "LONGEST",
    "MARK",
    "Chart",
    "ImageRecord",
    "Page",
    "Panel",
    "RunsPage",
    "Series",
    "Table",
    "draw_curves",
    "draw_points",
    "fill_scales",
    "list_panels",
    "pick_color",
    "render_runs_page",
    "write_overlay_panel",
    "write_page",
    "write_panels",
]
