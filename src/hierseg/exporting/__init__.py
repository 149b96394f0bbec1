"""Exports networks as one graph from pixels to labels, for other runtimes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.exporting.checked import Checks, export_checked
    from hierseg.exporting.graph_run import LabelledData
    from hierseg.exporting.hub_card import License
    from hierseg.exporting.hub_figures import Figures, read_figures
    from hierseg.exporting.hub_repository import require_own_repository, write_repository
    from hierseg.exporting.options import ENDINGS, ExportOptions
    from hierseg.exporting.pixels_to_labels import PixelsToLabels, PixelsToScale
    from hierseg.exporting.quantising import Quantisation, write_quantised
    from hierseg.exporting.report import (
        CheckOptions,
        ExportReport,
        check_export,
        list_files,
        name_report,
        reject,
        write_report,
    )
    from hierseg.exporting.report_page import (
        describe_report,
        name_page_folder,
        require_own_page,
        write_report_page,
    )
    from hierseg.exporting.samples import (
        SampleImage,
        draw_samples,
        read_dataset_samples,
        read_samples,
    )
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
            "samples": (
                "SampleImage",
                "draw_samples",
                "read_dataset_samples",
                "read_samples",
            ),
            "report_page": (
                "describe_report",
                "name_page_folder",
                "require_own_page",
                "write_report_page",
            ),
            "report": (
                "CheckOptions",
                "ExportReport",
                "check_export",
                "list_files",
                "name_report",
                "reject",
                "write_report",
            ),
            "quantising": (
                "Quantisation",
                "write_quantised",
            ),
            "graph_run": ("LabelledData",),
            "checked": (
                "Checks",
                "export_checked",
            ),
            "hub_card": ("License",),
            "hub_figures": ("Figures", "read_figures"),
            "hub_repository": ("require_own_repository", "write_repository"),
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
    "CheckOptions",
    "Checks",
    "ExportOptions",
    "ExportReport",
    "Figures",
    "LabelledData",
    "License",
    "PixelsToLabels",
    "PixelsToScale",
    "Quantisation",
    "SampleImage",
    "check_export",
    "convert_to_openvino",
    "describe_report",
    "draw_samples",
    "export",
    "export_checked",
    "list_files",
    "name_page_folder",
    "name_report",
    "read_dataset_samples",
    "read_figures",
    "read_samples",
    "reject",
    "require_installed",
    "require_own_page",
    "require_own_repository",
    "save_openvino",
    "write_graph",
    "write_quantised",
    "write_report",
    "write_report_page",
    "write_repository",
]
