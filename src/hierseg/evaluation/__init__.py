"""Evaluation: one function for training and for the command (METHOD section 9)."""

from hierseg.evaluation.evaluate import RequireFinite, evaluate
from hierseg.evaluation.label_maps import LabelMaps, score_label_maps
from hierseg.evaluation.result import Evaluation, require_counted
from hierseg.evaluation.saving import PredictionFiles
from hierseg.evaluation.table import format_table
from hierseg.evaluation.worst import WorstImages

__all__ = [
    "Evaluation",
    "LabelMaps",
    "PredictionFiles",
    "RequireFinite",
    "WorstImages",
    "evaluate",
    "format_table",
    "require_counted",
    "score_label_maps",
]
