from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from threading import Event
from typing import Any

import numpy as np
import pytest

from hierseg.media import pacing
from hierseg.media.camera import Camera
from hierseg.media.pacing import pace_frames
from hierseg.media.video import Clip, Frame, Video


class Clock:
    """Time that passes where somebody waits or works, and nowhere else."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class Waiting(Event):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self.clock.now += max(0.0, timeout or 0.0)
        return self.is_set()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pacing, "time", clock)
    return clock


def make_frame(index: int, seconds: float) -> Frame:
    return Frame(index, seconds, np.zeros((4, 4, 3), np.uint8))


class Film(Video):
    """Ten frames a second, each of which takes some time to decode."""

    def __init__(self, clock: Clock, number: int, decoding: float = 0.0) -> None:
        self.clock, self.number, self.decoding = clock, number, decoding

    def frames(self, clip: Clip) -> Iterator[Frame]:
        for index in range(self.number):
            self.clock.now += self.decoding
            yield make_frame(index, index / 10)


def show(
    clock: Clock, source: Any, work: float, fps: float | None = None
) -> list[tuple[int, float]]:
    """Numbers of the frames that are shown, and when, by whoever takes so long for each."""
    shown, start = [], clock.now
    for frame in pace_frames(source, fps, ended=Waiting(clock)):
        shown.append((frame.index, round(clock.now - start, 3)))
        clock.now += work
    return shown


def test_a_clip_plays_in_its_own_time(clock: Clock) -> None:
    assert show(clock, Film(clock, 4), 0.0) == [(0, 0.0), (1, 0.1), (2, 0.2), (3, 0.3)]


def test_frames_that_nobody_was_ready_for_are_dropped_and_none_is_late(clock: Clock) -> None:
    assert show(clock, Film(clock, 9), 0.25) == [(0, 0.0), (3, 0.3), (6, 0.6)]


def test_the_rate_is_bounded(clock: Clock) -> None:
    assert show(clock, Film(clock, 10), 0.0, fps=2.5) == [(0, 0.0), (4, 0.4), (8, 0.8)]


def test_a_clip_that_decodes_slower_than_it_plays_is_shown_slower(clock: Clock) -> None:
    shown = show(clock, Film(clock, 30, decoding=0.5), 0.0)
    assert len(shown) > 5
    gaps = [later - earlier for (_, earlier), (_, later) in pairwise(shown)]
    assert max(gaps) <= 2.0


def test_the_end_ends_it_while_a_frame_is_waited_for(clock: Clock) -> None:
    ended = Waiting(clock)
    frames = pace_frames(Film(clock, 5), ended=ended)
    assert next(frames).index == 0
    ended.set()
    assert list(frames) == []


class Lens(Camera):
    """A camera of thirty pictures a second, of which the newest is given."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def frames(self) -> Iterator[Frame]:
        start, last = self.clock.now, -1
        while last < 60:
            last = max(last + 1, int((self.clock.now - start) * 30))
            self.clock.now = max(self.clock.now, start + last / 30)
            yield make_frame(last, self.clock.now - start)


def test_of_a_camera_the_newest_is_taken_at_no_more_than_the_rate(clock: Clock) -> None:
    shown = show(clock, Lens(clock), 0.1, fps=2)
    assert [index for index, _ in shown] == [0, 15, 30, 45, 60]
    assert [index for index, _ in show(clock, Lens(clock), 0.0)][:4] == [0, 1, 2, 3]
