"""From configuration to constructors: the one bridge between the two.

``check_experiment`` refuses what cannot work, with the flag that cures it; the ``build_*``
functions make the parts of a run from an experiment.
"""

from hierseg.build.checks import check_experiment, check_scales, choose_device
from hierseg.build.extra import build_options
from hierseg.build.parts import (
    Datasets,
    build_criterion,
    build_datasets,
    build_network,
    build_transform,
)

__all__ = [
    "Datasets",
    "build_criterion",
    "build_datasets",
    "build_network",
    "build_options",
    "build_transform",
    "check_experiment",
    "check_scales",
    "choose_device",
]
