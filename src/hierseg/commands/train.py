"""`hierseg train RECIPE`: train a recipe, with the values that flags change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hierseg.commands.places import check_training
from hierseg.commands.volume import is_quiet
from hierseg.config import Experiment
from hierseg.errors import make_printable


@dataclass(frozen=True)
class TrackingFlags:
    """Flags of `hierseg train` besides the settings of the run."""

    tracking: tuple[Literal["mlflow", "wandb", "trackio"], ...] = ()
    """Also log the run to these trackers: mlflow to mlflow.db here, or where MLFLOW_TRACKING_URI
    says; wandb offline to the run folder, unless WANDB_MODE says otherwise; trackio to its own
    store. TensorBoard's files and csv tables are always written."""


NO_TRACKING = TrackingFlags()


def train(experiment: Experiment, flags: TrackingFlags = NO_TRACKING) -> None:
    """Train an experiment, and print the folder of its checkpoints."""
    from hierseg.commands.progress import announce, make_console

    check_training(experiment)
    with announce("loading torch"):
        from hierseg.training import make_display, make_trackers
        from hierseg.training import train as run

    trackers = make_trackers(flags.tracking, experiment)
    quiet = make_console(stderr=True) if is_quiet() else None
    folder = run(experiment, observers=[make_display(quiet), *trackers]).folder
    print(make_printable(f"the run is in {folder}; use it as --weights {folder}"))
