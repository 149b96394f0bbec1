"""One graph from pixels to labels, for other runtimes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.exporting.options import ENDINGS, ExportOptions
    from hierseg.exporting.pixels_to_labels import PixelsToLabels, PixelsToScale
    from hierseg.exporting.writing import (
        convert_to_openvino,
        export,
        require_installed,
        save_openvino,
        write_graph,
    )
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "options": ("ENDINGS", "ExportOptions"),
            "pixels_to_labels": ("PixelsToLabels", "PixelsToScale"),
            "writing": (
                "convert_to_openvino",
                "export",
                "require_installed",
                "save_openvino",
                "write_graph",
            ),
        },
    )

__all__ = [
    "ENDINGS",
    "ExportOptions",
    "PixelsToLabels",
    "PixelsToScale",
    "convert_to_openvino",
    "export",
    "require_installed",
    "save_openvino",
    "write_graph",
]
