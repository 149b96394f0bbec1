"""Planning: what a run needs of a machine, before it starts; and how fast engines run a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.planning.advice import Advice
    from hierseg.planning.comparison import (
        Row,
        compare_engines,
        describe_machine,
        describe_rows,
        draw_comparison,
    )
    from hierseg.planning.engine_run import Finding, Request
    from hierseg.planning.estimate import Estimate, estimate_evaluation, estimate_training
    from hierseg.planning.matrix_peak import measure_matrix_peak
    from hierseg.planning.overheads import add_overheads, parse_memory, read_resident
    from hierseg.planning.planner import Plan, Planner
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "advice": ("Advice",),
            "comparison": (
                "Row",
                "compare_engines",
                "describe_machine",
                "describe_rows",
                "draw_comparison",
            ),
            "engine_run": (
                "Finding",
                "Request",
            ),
            "estimate": (
                "Estimate",
                "estimate_evaluation",
                "estimate_training",
            ),
            "matrix_peak": ("measure_matrix_peak",),
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
    "Finding",
    "Plan",
    "Planner",
    "Request",
    "Row",
    "add_overheads",
    "compare_engines",
    "describe_machine",
    "describe_rows",
    "draw_comparison",
    "estimate_evaluation",
    "estimate_training",
    "measure_matrix_peak",
    "parse_memory",
    "read_resident",
]
