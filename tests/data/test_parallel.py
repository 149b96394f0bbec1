from __future__ import annotations

import multiprocessing
import os
import re
import signal
import time
from typing import Any

import pytest
from torch.utils.data import DataLoader, Dataset

from hierseg.data import parallel
from hierseg.data.parallel import map_in_order

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


def _name_handlers(_number: int) -> list[str]:
    return [str(signal.getsignal(number)) for number in SIGNALS]


def test_its_processes_leave_signals_to_the_one_that_waits_for_them() -> None:
    before = _name_handlers(0)
    results = map_in_order(_name_handlers, range(3), workers=1)
    assert next(results) == [str(signal.SIG_IGN)] * len(SIGNALS)
    results.close()
    assert _name_handlers(0) == before


def _stop_at_two(number: int) -> int:
    if number == 2:
        time.sleep(0.5)  # what was read before is on its way
        os.kill(os.getpid(), signal.SIGSTOP)
    return number


def test_a_loader_that_stands_still_is_looked_at_and_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parallel, "POLL", 0.1)
    before = set(multiprocessing.active_children())
    seconds: list[float] = []

    def look(waited: float) -> None:
        seconds.append(waited)
        if waited > 0.4:
            raise RuntimeError("told to end")

    loader: Any = DataLoader(_Numbers(), batch_size=None, num_workers=1, prefetch_factor=2)
    iterator = iter(loader)
    handler = signal.getsignal(signal.SIGALRM)
    with parallel.watching(lambda _: None):  # the process takes its time to start
        assert [int(next(iterator)) for _ in range(2)] == [0, 1]
    with pytest.raises(RuntimeError, match="told to end"), parallel.watching(look):
        next(iterator)
    assert signal.getsignal(signal.SIGALRM) == handler
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert len(seconds) > 1
    assert seconds == sorted(seconds)
    began = time.monotonic()
    parallel.end_workers(iterator, is_stuck=True)
    assert time.monotonic() - began < 4
    assert set(multiprocessing.active_children()) <= before


class _Numbers(Dataset[int]):
    def __len__(self) -> int:
        return 9

    def __getitem__(self, index: int) -> int:
        return _stop_at_two(index)


def test_it_is_said_after_twice_the_time_again() -> None:
    said: list[str] = []
    patience = parallel.Patience(said.append)
    for seconds in (1, 29, 30, 31, 59, 60, 61, 119, 120, 121, 2, 30.5):
        patience.look(seconds)
    assert [re.findall(r"for (\d+) s", line)[0] for line in said] == ["30", "60", "120", "30"]
    assert "has stalled" in said[0]


def test_somebody_elses_alarm_comes_in_its_time() -> None:
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _: rung.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 30)
        with parallel.watching(lambda _: None):
            pass
        assert 25 < signal.getitimer(signal.ITIMER_REAL)[0] <= 30
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not rung
