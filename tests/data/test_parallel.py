from __future__ import annotations

import signal

from hierseg.data.parallel import map_in_order

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


def _name_handlers(_number: int) -> list[str]:
    return [str(signal.getsignal(number)) for number in SIGNALS]


def test_its_processes_leave_signals_to_the_one_that_waits_for_them() -> None:
    before = _name_handlers(0)
    results = map_in_order(_name_handlers, range(3), workers=1)
    assert next(results) == [str(signal.SIG_IGN)] * 3
    results.close()
    assert _name_handlers(0) == before
