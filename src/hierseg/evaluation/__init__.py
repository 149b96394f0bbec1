"""Evaluation: one function for training and for the commands (METHOD section 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.evaluation.benefit import GateFit, fit_gate
    from hierseg.evaluation.boundaries import BoundaryWatcher, boundaries_to_json, format_boundaries
    from hierseg.evaluation.calibration import (
        CalibrationWatcher,
        Fit,
        LogitSample,
        calibration_to_json,
        format_calibration,
    )
    from hierseg.evaluation.consistency import (
        Consistency,
        SequenceFrame,
        find_sequences,
        format_consistency,
        measure_consistency,
    )
    from hierseg.evaluation.corruptions.catalog import choose_corruptions
    from hierseg.evaluation.corruptions.robustness import PICTURE, check_folder, run_corruptions
    from hierseg.evaluation.counters import Criterion
    from hierseg.evaluation.elsewhere import evaluate_elsewhere
    from hierseg.evaluation.evaluator import RequireFinite, check_classes, evaluate
    from hierseg.evaluation.label_files import LabelFile, check_label_files
    from hierseg.evaluation.label_maps import LabelMaps, score_label_maps
    from hierseg.evaluation.measuring import evaluate_weights
    from hierseg.evaluation.official import (
        TOLERANCE,
        OfficialScores,
        format_official,
        require_official,
        run_official,
    )
    from hierseg.evaluation.panels import PanelFiles
    from hierseg.evaluation.reliability import draw_reliability
    from hierseg.evaluation.result import Evaluation, require_counted
    from hierseg.evaluation.saving import FLAG, PredictionFiles, require_apart
    from hierseg.evaluation.scoring import DetailWatcher, Labels, PortableWatcher, Watcher
    from hierseg.evaluation.submission import check_names, find_form, write_submission
    from hierseg.evaluation.table import format_evaluation
    from hierseg.evaluation.worst import WorstImages, show_compared
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "benefit": (
                "GateFit",
                "fit_gate",
            ),
            "consistency": (
                "Consistency",
                "SequenceFrame",
                "find_sequences",
                "format_consistency",
                "measure_consistency",
            ),
            "boundaries": (
                "BoundaryWatcher",
                "boundaries_to_json",
                "format_boundaries",
            ),
            "calibration": (
                "CalibrationWatcher",
                "Fit",
                "LogitSample",
                "calibration_to_json",
                "format_calibration",
            ),
            "corruptions.catalog": ("choose_corruptions",),
            "corruptions.robustness": (
                "PICTURE",
                "check_folder",
                "run_corruptions",
            ),
            "elsewhere": ("evaluate_elsewhere",),
            "evaluator": (
                "RequireFinite",
                "check_classes",
                "evaluate",
            ),
            "label_files": (
                "LabelFile",
                "check_label_files",
            ),
            "label_maps": (
                "LabelMaps",
                "score_label_maps",
            ),
            "measuring": ("evaluate_weights",),
            "official": (
                "OfficialScores",
                "TOLERANCE",
                "format_official",
                "require_official",
                "run_official",
            ),
            "panels": ("PanelFiles",),
            "reliability": ("draw_reliability",),
            "result": (
                "Evaluation",
                "require_counted",
            ),
            "saving": (
                "FLAG",
                "PredictionFiles",
                "require_apart",
            ),
            "counters": ("Criterion",),
            "scoring": (
                "DetailWatcher",
                "Labels",
                "PortableWatcher",
                "Watcher",
            ),
            "submission": (
                "check_names",
                "find_form",
                "write_submission",
            ),
            "table": ("format_evaluation",),
            "worst": ("WorstImages", "show_compared"),
        },
    )

__all__ = [
    "FLAG",
    "PICTURE",
    "TOLERANCE",
    "BoundaryWatcher",
    "CalibrationWatcher",
    "Consistency",
    "Criterion",
    "DetailWatcher",
    "Evaluation",
    "Fit",
    "GateFit",
    "LabelFile",
    "LabelMaps",
    "Labels",
    "LogitSample",
    "OfficialScores",
    "PanelFiles",
    "PortableWatcher",
    "PredictionFiles",
    "RequireFinite",
    "SequenceFrame",
    "Watcher",
    "WorstImages",
    "boundaries_to_json",
    "calibration_to_json",
    "check_classes",
    "check_folder",
    "check_label_files",
    "check_names",
    "choose_corruptions",
    "draw_reliability",
    "evaluate",
    "evaluate_elsewhere",
    "evaluate_weights",
    "find_form",
    "find_sequences",
    "fit_gate",
    "format_boundaries",
    "format_calibration",
    "format_consistency",
    "format_evaluation",
    "format_official",
    "measure_consistency",
    "require_apart",
    "require_counted",
    "require_official",
    "run_corruptions",
    "run_official",
    "score_label_maps",
    "show_compared",
    "write_submission",
]
