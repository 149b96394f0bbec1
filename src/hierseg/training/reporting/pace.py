"""How fast a run goes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

WINDOW = 20
"""Steps over which the speed is averaged: enough to be steady, few enough to follow a change."""


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
