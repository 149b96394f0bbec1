"""Evaluation: one function for training and for the command (METHOD section 9)."""

from hierseg.evaluation.evaluate import evaluate
from hierseg.evaluation.result import Evaluation
from hierseg.evaluation.table import format_table

__all__ = ["Evaluation", "evaluate", "format_table"]
