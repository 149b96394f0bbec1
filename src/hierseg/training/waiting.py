"""Waiting for the loader: a long wait is reported, and can be ended."""

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
"""Seconds that one of several processes may go on waiting after a signal: without it the others
cannot save.
"""


class WaitEnded(Exception):
    """A signal told the run to end while it waits."""


class Wait:
    """Yields a run's batches, and watches for signals while it waits for them between two steps.

    Args:
        run: The run.
        observer: Gets a message if the loader stalls.
        keeper: Writes the checkpoint of a run that is told to end.
        stop: The request to end, if there is one.

    Attributes:
        is_stuck: Whether the run has waited for long, so that the loader may not respond.
    """

    def __init__(self, run: Run, observer: Observer, keeper: Keeper, stop: StopRequest) -> None:
        self._run = run
        self._keeper = keeper
        self._stop = stop
        self._patience = Patience(observer.on_message)
        self._told = 0.0
        self.is_stuck = False

    def take_groups(self) -> Iterator[list[dict[str, Any]]]:
        """The remaining batches of the epoch, in groups of a step.

        Raises:
            RunStopped: A signal ended the wait, after a checkpoint if one could be written.
            KeyboardInterrupt: Ctrl-C ended the wait, likewise.
        """
        loader, size = self._run.loader, self._run.experiment.optim.accumulate
        try:
            # Without worker processes the wait is the reading itself, which is not interrupted.
            yield from group_batches(loader, size, self._look if loader.num_workers else None)
        except WaitEnded:
            self._leave()

    def _look(self, seconds: float) -> None:
        """Note the length of the wait; called from a signal handler, so nothing is saved here."""
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
