"""From configuration to constructors: the only bridge between the two.

``check_experiment`` refuses impossible settings and names the flag that cures them. The ``build_*``
functions make the parts of a run from an experiment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hierseg.faces import open_face

if TYPE_CHECKING:
    from hierseg.assembly.checks import check_experiment
    from hierseg.assembly.devices import check_training_scales, choose_device, choose_own_device
    from hierseg.assembly.extra import build_options
    from hierseg.assembly.parts import (
        Datasets,
        assemble_network,
        build_criterion,
        build_datasets,
        build_transform,
    )
    from hierseg.assembly.teacher import Teacher, build_teacher
else:
    __getattr__, __dir__ = open_face(
        __name__,
        {
            "checks": ("check_experiment",),
            "devices": (
                "check_training_scales",
                "choose_device",
                "choose_own_device",
            ),
            "extra": ("build_options",),
            "parts": (
                "Datasets",
                "build_criterion",
                "build_datasets",
                "assemble_network",
                "build_transform",
            ),
            "teacher": ("Teacher", "build_teacher"),
        },
    )

__all__ = [
    "Datasets",
    "Teacher",
    "assemble_network",
    "build_criterion",
    "build_datasets",
    "build_options",
    "build_teacher",
    "build_transform",
    "check_experiment",
    "check_training_scales",
    "choose_device",
    "choose_own_device",
]
