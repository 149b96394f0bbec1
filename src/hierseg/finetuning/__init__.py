"""Fine-tuning on a user's own data in one command: inspect, plan, train, evaluate, show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.finetuning.choices import Choices
    from hierseg.finetuning.machine import Machine, find_machine
    from hierseg.finetuning.plan import Plan, make_experiment, make_plan
    from hierseg.finetuning.tuning import FinetuneResult, describe_use, find_model, finetune
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "choices": ("Choices",),
            "machine": (
                "Machine",
                "find_machine",
            ),
            "plan": (
                "Plan",
                "make_experiment",
                "make_plan",
            ),
            "tuning": (
                "FinetuneResult",
                "describe_use",
                "find_model",
                "finetune",
            ),
        },
    )

__all__ = [
    "Choices",
    "FinetuneResult",
    "Machine",
    "Plan",
    "describe_use",
    "find_machine",
    "find_model",
    "finetune",
    "make_experiment",
    "make_plan",
]
