"""Calls a function for each sample of a data set in several processes; results are in order."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import Any, TypeVar

import cv2
import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.data._utils import signal_handling

from hierseg.processes import SIGNALS, guard_children

PATIENCE = 30.0
"""Seconds without a sample before the first message; each further wait is twice as long."""
POLL = 1.0
"""Seconds between two looks at a loader that is waited for."""

Result = TypeVar("Result")
Progress = Callable[[int, int], None]


def map_in_order(
    function: Callable[[int], Result],
    numbers: range,
    workers: int = 0,
    on_progress: Progress | None = None,
) -> Generator[Result]:
    """``function`` of each number, in order, whatever the number of workers.

    The processes are prepared as those that load training samples: a DataError of the function is
    raised here with its one sentence. Close the generator if you stop early; the processes ignore
    signals.

    Args:
        function: A function of a number; picklable, as a method of a data set is.
        numbers: The numbers to call it with.
        workers: Number of processes; 0 calls it in this process.
        on_progress: Called with (numbers done, numbers in all) after each.
    """
    guard_children()
    loader = DataLoader(
        _Function(function, numbers),
        batch_size=None,
        num_workers=min(workers, len(numbers)),
        collate_fn=_leave,
        worker_init_fn=prepare_worker,
        generator=torch.Generator(),  # the global one is the run's
    )
    results: Any = iter(loader)
    patience = Patience(lambda line: print(line, file=sys.stderr))
    try:
        for done in range(1, len(numbers) + 1):
            with watching(patience.look) if workers > 0 else nullcontext():
                result = next(results)
            if on_progress is not None:
                on_progress(done, len(numbers))
            yield result
    finally:
        if workers > 0:
            # After an error the garbage collector would wait five seconds for the processes.
            end_workers(results)


class Patience:
    """Says that a loader has stalled, at first after ``PATIENCE`` seconds.

    Args:
        say: Called with the message.
    """

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._next = PATIENCE

    def look(self, seconds: float) -> None:
        """Take note of how many seconds a sample has been waited for."""
        if seconds < PATIENCE:
            self._next = PATIENCE
        if seconds >= self._next:
            self._next *= 2
            self._say(
                f"no image has come from the loader for {seconds:.0f} s: one of its processes, or "
                "the disk that they read from, has stalled."
            )


@contextmanager
def watching(look: Callable[[float], None]) -> Iterator[None]:
    """Call ``look`` about once a second while the block waits, with the seconds since it began. An
    exception that ``look`` raises ends the wait. Works in the main thread only.
    """
    # An alarm, as a wait for a worker may be one for its socket, which knows no time.
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not hasattr(signal, "setitimer"):
        yield
        return
    began = time.monotonic()

    def ring(_number: int, _frame: FrameType | None) -> None:
        try:
            look(time.monotonic() - began)
        except BaseException:
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise

    handler = signal.signal(signal.SIGALRM, ring)
    delay, interval = signal.setitimer(signal.ITIMER_REAL, POLL, POLL)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if delay:  # somebody else's
            left = max(1e-3, delay - (time.monotonic() - began))
            signal.setitimer(signal.ITIMER_REAL, left, interval)


def end_workers(iterator: Any, is_stuck: bool = False) -> None:
    """End a loader's processes, also stopped or hanging ones. Those react only to SIGKILL, and this
    process would wait for them at its end.

    Args:
        iterator: The iterator of a loader with workers.
        is_stuck: Whether they are known to hang; they are then killed without waiting.
    """
    workers = list(iterator._workers)
    if is_stuck:
        # Else torch takes their end for a failure, and raises it here.
        signal_handling._remove_worker_pids(id(iterator))  # type: ignore[attr-defined]
        iterator._worker_pids_set = False
        _kill(workers)
    iterator._shutdown_workers()
    _kill(workers)


def _kill(workers: list[Any]) -> None:
    for worker in workers:
        if worker.is_alive():
            worker.kill()
    for worker in workers:
        worker.join(timeout=POLL)


def prepare_worker(_worker: int) -> None:
    """Set up a worker: one thread, since there are several workers and the network's own threads;
    and no signals, since the main process answers those to the whole group. With its copies of that
    process's handlers, a worker would end while the run still needs the batches of its last step.
    """
    cv2.setNumThreads(0)
    for number in (*SIGNALS, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


class _Function(Dataset[Any]):
    def __init__(self, function: Callable[[int], Any], numbers: range) -> None:
        self.function = function
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Any:
        return self.function(self.numbers[index])


def _leave(value: Any) -> Any:
    return value
