"""The true frame rate of a video, and frame times that never decrease.

A *tick* is a time at which a video of constant rate shows a new frame: a multiple of 1 / rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from statistics import mean, median_low

LARGEST_RATE = Fraction(240)
"""Most frames per second, of slow-motion cameras. Files may state any number."""
USUAL_RATE = Fraction(25)
"""Frames per second if a file states no rate and has no times."""
TICKS_PER_FRAME = 1.5
"""Most ticks per frame, by the median step, for a stated rate to be accepted."""
OWN_TICK = 0.95
"""Smallest share of the frames that must have a tick of their own for a rate to be accepted."""
LARGEST_SHIFT = 0.05
"""Largest distance in seconds of a frame from its tick."""
LONGEST_STEP_BACK = 0.25
"""Seconds; if a time goes back further, another recording begins in the same file."""


def choose_rate(stated: Iterable[Fraction | None], times: Sequence[float]) -> Fraction:
    """The rate, in frames per second, that repeats, drops or shifts the fewest frames of a video.

    A stated rate is taken if the times confirm it. Some files state the rate of a clock (1,000 per
    second), or the mean of a varying rate; then the median step between frames decides.

    Args:
        stated: Rates that the file states, the most trusted first; None entries are ignored.
        times: Sorted, distinct times in seconds of the frames at the beginning.
    """
    rates = [min(rate, LARGEST_RATE) for rate in stated if rate is not None and rate > 0]
    if len(times) < 2:
        return rates[0] if rates else USUAL_RATE
    step = median_low(after - before for before, after in pairwise(times))
    # Every encoder takes such a number as a time base.
    exact = Fraction(step).limit_denominator(60_000)
    usual = LARGEST_RATE if exact * LARGEST_RATE < 1 else 1 / exact
    rates = list(dict.fromkeys([*rates, usual]))
    fitting = [rate for rate in rates if step * rate <= TICKS_PER_FRAME and _fits(rate, times)]
    if fitting:
        return min(fitting, key=lambda rate: round(_distance(rate, times), 2))
    return max(usual, 1 / Fraction(LARGEST_SHIFT).limit_denominator() / 2)


def _fits(rate: Fraction, times: Sequence[float]) -> bool:
    """Whether nearly every frame is near a tick of its own."""
    ticks: set[int] = set()
    for time in times:
        tick = round((time - times[0]) * rate)
        if abs(tick / rate - (time - times[0])) <= LARGEST_SHIFT:
            ticks.add(tick)
    return len(ticks) >= OWN_TICK * len(times)


def _distance(rate: Fraction, times: Sequence[float]) -> float:
    """Mean distance of the frames from their ticks, in ticks."""
    positions = [(time - times[0]) * float(rate) for time in times]
    return mean(abs(position - round(position)) for position in positions)


class Clock:
    """Times of decoded frames in seconds from the beginning of the video; they never decrease.

    Args:
        start: Beginning of the video, in the file's own seconds.
        rate: Frames per second, for frames without a time.
    """

    def __init__(self, start: Fraction | float, rate: Fraction) -> None:
        self._start, self._step = float(start), 1 / float(rate)
        self.last: float | None = None

    def read(self, stated: float | None) -> float:
        """The time of the next frame.

        Args:
            stated: The frame's time in the file's own seconds; None if it has none, which is then
                one step after the last.
        """
        following = 0.0 if self.last is None else self.last + self._step
        time = following if stated is None else stated - self._start
        if self.last is not None and time < self.last:
            if self.last - time > LONGEST_STEP_BACK:  # continue from here, as players do
                self._start += time - following
                time = following
            else:
                time = self.last
        self.last = time
        return time
