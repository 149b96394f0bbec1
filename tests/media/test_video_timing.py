"""The rate that times bear out, and a clock that never goes back."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from hierseg.media.video_timing import Clock, choose_rate

NTSC = Fraction(30_000, 1001)


def _times(*steps: float) -> list[float]:
    return [0.0, *np.cumsum(steps).tolist()]


@pytest.mark.parametrize(
    ("stated", "times", "rate"),
    [
        pytest.param([NTSC], _times(*[1001 / 30_000] * 50), NTSC, id="steady"),
        pytest.param(
            [NTSC], [round(1001 / 30 * n) / 1000 for n in range(500)], NTSC, id="whole milliseconds"
        ),
        pytest.param([25, 50], _times(*[0.04] * 50), 25, id="fields counted as frames"),
        pytest.param([1000, 1000], _times(*[0.066] * 50), Fraction(500, 33), id="ticks of a clock"),
        pytest.param([90_000], _times(*[0.04] * 50), 25, id="ticks of MPEG"),
        pytest.param([30], _times(*[1 / 15] * 50), 15, id="half of what is stated"),
        pytest.param([13, 100], _times(*[0.01] * 30, *[0.1] * 60), 10, id="a burst"),
        pytest.param([Fraction(273, 10), 30], _times(*[1 / 30, 1 / 30, 1 / 30, 2 / 30] * 30), 30,
                     id="frames left out"),
        pytest.param([Fraction(24_000, 1001), NTSC],
                     _times(*[1001 / 30_000, 1001 / 20_000] * 50), Fraction(24_000, 1001),
                     id="film"),
        pytest.param([Fraction(1, 5)], _times(*[5.0] * 20), Fraction(1, 5), id="time lapse"),
        pytest.param([1], _times(*[0.3, 1.7, 2.4, 0.9, 1.1] * 9), 10, id="at no rate at all"),
        pytest.param([1000], _times(*[0.001] * 200), 240, id="faster than can be shown"),
        pytest.param([1000], [], 240, id="no times"),
        pytest.param([], [], 25, id="nothing at all"),
        pytest.param([None, Fraction(0), Fraction(-5)], [3.0], 25, id="one frame, no rate"),
        pytest.param([12], [3.0], 12, id="one frame"),
        pytest.param([], _times(*[2.0**40] * 4), Fraction(1, 2**40), id="years apart"),
    ],
)  # fmt: skip
def test_the_rate_is_what_the_times_bear_out(
    stated: list[Fraction | int | None], times: list[float], rate: Fraction
) -> None:
    given = [None if one is None else Fraction(one) for one in stated]
    assert choose_rate(given, times) == rate


def test_a_rate_is_always_one_that_can_be_written() -> None:
    random = np.random.default_rng(0)
    for _ in range(300):
        count = int(random.integers(0, 40))
        times = sorted(set((random.random(count) ** 3 * 10.0 ** random.integers(-6, 6)).tolist()))
        stated = [Fraction(int(random.integers(-5, 10**6)), int(random.integers(1, 10**4)))]
        assert 0 < choose_rate(stated, times) <= 240


def test_a_clock_counts_where_there_are_no_times_and_never_goes_back() -> None:
    clock = Clock(5.0, Fraction(10))
    read = [clock.read(stated) for stated in (5.0, 5.1, None, 5.3, 5.25, 5.25, 5.4)]
    assert read == pytest.approx([0, 0.1, 0.2, 0.3, 0.3, 0.3, 0.4])
    later = [clock.read(stated) for stated in (1.0, 1.1, 1.2)]  # another recording
    assert later == pytest.approx([0.5, 0.6, 0.7])
    assert Clock(5.0, Fraction(10)).read(None) == 0
