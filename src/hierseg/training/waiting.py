"""A run that waits for its loader: it says so after a while, and can be ended meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from hierseg.data import PATIENCE, Patience
from hierseg.training.checkpointing import Keeper
from hierseg.training.feeding import group_batches
from hierseg.training.reporting.observer import Observer
from hierseg.training.run import Run
from hierseg.training.signals import StopRequest

GRACE = 10.0
"""Seconds that one of several processes is given to come out of its wait once it is told to end:
without it the others can save nothing.
"""


class WaitEnded(Exception):
    """The run is told to end while it waits."""


class Wait:
    """Gives a run its batches, and looks on while they are waited for, between two steps.

    Args:
        run: The run.
        observer: Takes a message where the loader stands still.
        keeper: Writes the checkpoint of a run that is told to end.
        stop: Whether it is.

    Attributes:
        is_stuck: The run has waited for long, so that its loader's processes may not answer.
    """

    def __init__(self, run: Run, observer: Observer, keeper: Keeper, stop: StopRequest) -> None:
        self._run = run
        self._keeper = keeper
        self._stop = stop
        self._patience = Patience(observer.on_message)
        self._told = 0.0
        self.is_stuck = False

    def take_groups(self) -> Iterator[list[dict[str, Any]]]:
        """What is left of the epoch's batches, in groups of a step.

        Raises:
            RunStopped: Told to end while it waits, after a checkpoint where it can write one;
                KeyboardInterrupt: by Ctrl-C.
        """
        loader, size = self._run.loader, self._run.experiment.optim.accumulate
        try:
            # Without processes the wait is the reading itself, which is not to be disturbed.
            yield from group_batches(loader, size, self._look if loader.num_workers else None)
        except WaitEnded:
            self._leave()

    def _look(self, seconds: float) -> None:
        """Take for how long a group has been waited for; called by a signal, so nothing is saved
        here.
        """
        self.is_stuck = self.is_stuck or seconds >= PATIENCE
        self._patience.look(seconds)
        if self._stop.received is None:
            return
        self._told = self._told or time.monotonic()
        if self._run.fabric.world_size == 1 or time.monotonic() - self._told > GRACE:
            self.is_stuck = True
            raise WaitEnded

    def _leave(self) -> None:
        step = self._run.state.progress.step
        if self._run.fabric.world_size == 1:
            self._keeper.save()
            self._stop.end(f"after step {step}, which is saved")
        self._stop.end(f"while it waited for images after step {step}; its last steps are lost")
