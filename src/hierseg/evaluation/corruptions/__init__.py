"""Common corruptions at three severities, written from scratch and without foreign images."""

from hierseg.evaluation.corruptions.catalog import (
    CORRUPTIONS,
    SEVERITIES,
    CorruptedDataset,
    choose_corruptions,
    corrupt,
)
from hierseg.evaluation.corruptions.report import CorruptionReport
from hierseg.evaluation.corruptions.robustness import check_folder, run_corruptions
from hierseg.evaluation.corruptions.sheet import draw_sheet

__all__ = [
    "CORRUPTIONS",
    "SEVERITIES",
    "CorruptedDataset",
    "CorruptionReport",
    "check_folder",
    "choose_corruptions",
    "corrupt",
    "draw_sheet",
    "run_corruptions",
]
