"""Pages to look at: what they show of each image, and their assets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
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
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
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
        },
    )

__all__ = [
    "FILE",
    "FOLDER",
    "LONGEST",
    "ImageRecord",
    "Page",
    "Panel",
    "fill_scales",
    "list_panels",
    "write_overlay_panel",
    "write_page",
    "write_panels",
]
