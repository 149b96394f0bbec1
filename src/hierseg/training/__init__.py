"""Training: the loop, optimiser and schedule, state, journal. The one room that knows an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.training.checkpoints import Checkpoints
    from hierseg.training.depthwise import run_depthwise_in_float
    from hierseg.training.ema import WeightAverage
    from hierseg.training.gradient_checkpointing import recompute_trunk
    from hierseg.training.loop import train
    from hierseg.training.optimizer import freeze, hold_frozen
    from hierseg.training.reporting.display import make_display
    from hierseg.training.reporting.observer import EpochReport, Observer, RunReport, StepReport
    from hierseg.training.reporting.tracking import Tracker, TrackingObserver, make_trackers
    from hierseg.training.result import EpochFigures, TrainingResult
    from hierseg.training.samples import write_samples
    from hierseg.training.schedule import Schedule
    from hierseg.training.signals import RunEnded, StopRequest
    from hierseg.training.table import CsvTable
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "checkpoints": ("Checkpoints",),
            "depthwise": ("run_depthwise_in_float",),
            "ema": ("WeightAverage",),
            "gradient_checkpointing": ("recompute_trunk",),
            "loop": ("train",),
            "optimizer": (
                "freeze",
                "hold_frozen",
            ),
            "reporting.display": ("make_display",),
            "reporting.observer": (
                "EpochReport",
                "Observer",
                "RunReport",
                "StepReport",
            ),
            "reporting.tracking": (
                "Tracker",
                "TrackingObserver",
                "make_trackers",
            ),
            "result": (
                "EpochFigures",
                "TrainingResult",
            ),
            "samples": ("write_samples",),
            "schedule": ("Schedule",),
            "signals": ("RunEnded", "StopRequest"),
            "table": ("CsvTable",),
        },
        needs=("lightning_fabric", "training", "train"),
    )

__all__ = [
    "Checkpoints",
    "CsvTable",
    "EpochFigures",
    "EpochReport",
    "Observer",
    "RunEnded",
    "RunReport",
    "Schedule",
    "StepReport",
    "StopRequest",
    "Tracker",
    "TrackingObserver",
    "TrainingResult",
    "WeightAverage",
    "freeze",
    "hold_frozen",
    "make_display",
    "make_trackers",
    "recompute_trunk",
    "run_depthwise_in_float",
    "train",
    "write_samples",
]
