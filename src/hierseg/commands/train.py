"""`hierseg train RECIPE`: train what a recipe describes, with the fields that were changed."""

from __future__ import annotations

from hierseg.commands.places import check_training
from hierseg.config import Experiment
from hierseg.errors import make_printable


def train(experiment: Experiment) -> None:
    """Train an experiment and say where its checkpoint lies."""
    from hierseg.commands.progress import announce

    check_training(experiment)
    with announce("loading torch"):
        from hierseg.training import make_display
        from hierseg.training import train as run

    folder = run(experiment, observers=[make_display()]).folder
    print(make_printable(f"the run is in {folder}; use it as --weights {folder}"))
