"""A run that waits for its loader: it says so after a while, and can be ended meanwhile."""

from __future__ import annotations

import time

from hierseg.data.parallel import PATIENCE, Patience
from hierseg.training.display import Display
from hierseg.training.keeping import Keeper
from hierseg.training.run import Run
from hierseg.training.signals import StopRequest

GRACE = 10.0
"""Seconds that one of several processes is given to come out of its wait once it is told to end:
without it the others can save nothing.
"""


class Wait:
    """Looks on while a run waits for a batch, between two steps.

    Args:
        run: The run.
        display: Takes the line.
        keeper: Writes the checkpoint of a run that is told to end.
        stop: Whether it is.

    Attributes:
        is_stuck: The run ended within a wait, so that its loader's processes may not answer.
    """

    def __init__(self, run: Run, display: Display, keeper: Keeper, stop: StopRequest) -> None:
        self._run = run
        self._keeper = keeper
        self._stop = stop
        self._patience = Patience(display.say)
        self._told = 0.0
        self.is_stuck = False

    def look(self, seconds: float) -> None:
        """Take for how long a batch has been waited for; leaves the run where it is told to end."""
        if seconds >= PATIENCE:
            self.is_stuck = True
        self._patience.look(seconds)
        if self._stop.received is None:
            return
        self._told = self._told or time.monotonic()
        step = self._run.state.progress.step
        if self._run.fabric.world_size == 1:
            self.is_stuck = True
            self._keeper.save()
            self._stop.end(f"after step {step}, which is saved")
        elif time.monotonic() - self._told > GRACE:
            self.is_stuck = True
            self._stop.end(f"while it waited for images after step {step}; its last steps are lost")
