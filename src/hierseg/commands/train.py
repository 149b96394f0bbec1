"""`hierseg train RECIPE`: train a recipe, with the values that flags change."""

from __future__ import annotations

from hierseg.commands.places import check_training
from hierseg.config import Experiment
from hierseg.errors import make_printable


def train(experiment: Experiment) -> None:
    """Train an experiment, and print the folder of its checkpoints."""
    from hierseg.commands.progress import announce

    check_training(experiment)
    with announce("loading torch"):
        from hierseg.training import make_display
        from hierseg.training import train as run

    folder = run(experiment, observers=[make_display()]).folder
    print(make_printable(f"the run is in {folder}; use it as --weights {folder}"))
