"""How fast a run goes and how long it still takes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

WINDOW = 20
"""Steps over which the speed is averaged: enough to be calm, few enough to follow a change."""


@dataclass(frozen=True)
class StepReport:
    """What there is to say about a step.

    Attributes:
        epoch: The epoch's number, from 1.
        epochs: Epochs of the run.
        step: Steps done in all, this one included.
        steps: Steps of the run.
        position: Steps done in this epoch, this one included.
        steps_per_epoch: Steps of an epoch.
        losses: Named losses; ``"loss"`` is the total.
        lr: The highest learning rate of the step.
        images_per_second: Images trained on a second, over the last steps.
        seconds_left: Time until the last step at this speed; validation is not counted.
        skipped: Steps of the run that were skipped so far, since they were not finite.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    position: int
    steps_per_epoch: int
    losses: Mapping[str, float]
    lr: float
    images_per_second: float
    seconds_left: float
    skipped: int = 0


class Pace:
    """Measures the time of steps, without what lies between epochs.

    Args:
        clock: Seconds from any origin; for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._durations: deque[float] = deque(maxlen=WINDOW)
        self._last = clock()

    def start(self) -> None:
        """Begin to measure: the time since the last step does not count."""
        self._last = self._clock()

    def step(self) -> float:
        """A step is done; returns the seconds that it took."""
        now = self._clock()
        duration = now - self._last
        self._durations.append(duration)
        self._last = now
        return duration

    @property
    def seconds_per_step(self) -> float:
        """Mean over the last steps; 0 before the first."""
        return sum(self._durations) / len(self._durations) if self._durations else 0.0
