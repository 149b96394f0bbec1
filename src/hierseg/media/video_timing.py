"""When frames are shown: the rate that a video really has, and times that only go forwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from statistics import mean, median_low

LARGEST_RATE = Fraction(240)
"""Frames a second; a slow-motion camera's. Files state any number."""
USUAL_RATE = Fraction(25)
"""Where a file says nothing, and has no times either."""
TICKS_PER_FRAME = 1.5
"""So many ticks from a frame to the next, in the middle, are not too many."""
OWN_TICK = 0.95
"""Share of the frames that must have a tick to themselves for a rate to be the video's."""
LARGEST_SHIFT = 0.05
"""Seconds; so near to its tick must a frame be for it to count as there."""
LONGEST_STEP_BACK = 0.25
"""Seconds; a longer one begins another recording in the same file."""


def choose_rate(stated: Iterable[Fraction | None], times: Sequence[float]) -> Fraction:
    """Frames a second at which a video is shown with few frames repeated, left out or shifted.

    A stated rate is taken where the times bear it out. Files also state a clock's ticks (1,000 a
    second), or the mean of a rate that varies; then the step from a frame to the next that stands
    in the middle decides.

    Args:
        stated: Rates that the file states, the most trusted first; None for none.
        times: Seconds of the frames at the beginning, sorted, each once.
    """
    rates = [min(rate, LARGEST_RATE) for rate in stated if rate is not None and rate > 0]
    if len(times) < 2:
        return rates[0] if rates else USUAL_RATE
    step = median_low(after - before for before, after in pairwise(times))
    # Numbers that every encoder takes as a time base.
    exact = Fraction(step).limit_denominator(60_000)
    usual = LARGEST_RATE if exact * LARGEST_RATE < 1 else 1 / exact
    rates = list(dict.fromkeys([*rates, usual]))
    fitting = [rate for rate in rates if step * rate <= TICKS_PER_FRAME and _fits(rate, times)]
    if fitting:
        return min(fitting, key=lambda rate: round(_distance(rate, times), 2))
    return max(usual, 1 / Fraction(LARGEST_SHIFT).limit_denominator() / 2)


def _fits(rate: Fraction, times: Sequence[float]) -> bool:
    """Whether nearly every frame has a tick of its own near by."""
    ticks: set[int] = set()
    for time in times:
        tick = round((time - times[0]) * rate)
        if abs(tick / rate - (time - times[0])) <= LARGEST_SHIFT:
            ticks.add(tick)
    return len(ticks) >= OWN_TICK * len(times)


def _distance(rate: Fraction, times: Sequence[float]) -> float:
    """How far frames are from their ticks, in ticks, on average."""
    positions = [(time - times[0]) * float(rate) for time in times]
    return mean(abs(position - round(position)) for position in positions)


class Clock:
    """Times of decoded frames in seconds from the beginning of the video, which never go back.

    Args:
        start: Where the video begins, in the file's own seconds.
        rate: Frames a second, for frames without a time.
    """

    def __init__(self, start: Fraction | float, rate: Fraction) -> None:
        self._start, self._step = float(start), 1 / float(rate)
        self.last: float | None = None

    def read(self, stated: float | None) -> float:
        """The time of the next frame.

        Args:
            stated: The file's own seconds; None where the frame has none: one step on.
        """
        following = 0.0 if self.last is None else self.last + self._step
        time = following if stated is None else stated - self._start
        if self.last is not None and time < self.last:
            if self.last - time > LONGEST_STEP_BACK:  # it goes on from here, as players do
                self._start += time - following
                time = following
            else:
                time = self.last
        self.last = time
        return time
