"""What a recipe needs of a machine, before it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.planning.advice import Advice
    from hierseg.planning.estimate import Estimate, estimate_evaluation, estimate_training
    from hierseg.planning.overheads import add_overheads, parse_memory, read_resident
    from hierseg.planning.planner import Plan, Planner
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "advice": ("Advice",),
            "estimate": (
                "Estimate",
                "estimate_evaluation",
                "estimate_training",
            ),
            "overheads": (
                "add_overheads",
                "parse_memory",
                "read_resident",
            ),
            "planner": (
                "Plan",
                "Planner",
            ),
        },
    )

__all__ = [
    "Advice",
    "Estimate",
    "Plan",
    "Planner",
    "add_overheads",
    "estimate_evaluation",
    "estimate_training",
    "parse_memory",
    "read_resident",
]
