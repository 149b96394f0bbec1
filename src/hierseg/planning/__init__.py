"""What a recipe needs of a machine, before it is run."""

from hierseg.planning.estimate import Estimate, estimate_evaluation, estimate_training
from hierseg.planning.overheads import add_overheads, parse_memory, read_resident
from hierseg.planning.planner import Plan, Planner

__all__ = [
    "Estimate",
    "Plan",
    "Planner",
    "add_overheads",
    "estimate_evaluation",
    "estimate_training",
    "parse_memory",
    "read_resident",
]
