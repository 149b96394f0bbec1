"""How a command ends when it is told to, and what it says in passing."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from hierseg.errors import make_printable
from hierseg.processes import SIGNALS


class Termination:
    """SIGTERM, which schedulers, ``timeout`` and containers send, ends a command as Ctrl-C does.

    So does SIGHUP, that of a terminal which is closed, unless it is ignored, as under ``nohup``.

    Training has its own way. What is forked from this process dies of the signal, as before.
    """

    def __init__(self, wanted: bool) -> None:
        self.came = False
        self._wanted = wanted and threading.current_thread() is threading.main_thread()
        self._process = os.getpid()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> None:
        if self._wanted:
            self._before = {
                number: signal.signal(number, self._end)
                for number in SIGNALS
                if number != signal.SIGINT
                and (number == signal.SIGTERM or signal.getsignal(number) != signal.SIG_IGN)
            }

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _end(self, number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.came = True
        raise KeyboardInterrupt


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Warnings as one line, without the place in the code that they come from."""
    before = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"hierseg: {make_printable(str(message))}\n"
    try:
        yield
    finally:
        warnings.formatwarning = before
