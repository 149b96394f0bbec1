"""One function for each sample of a data set, in several processes, results in order."""

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
"""Seconds without a sample after which that is said, and again after twice as many, and so on."""
POLL = 1.0
"""Seconds from one look at a loader that is waited for to the next."""

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
        function: Of a number; it must be possible to pickle it, as a method of a data set is.
        numbers: What it is called with.
        workers: Processes; 0 stays in this one.
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
        say: Takes the line.
    """

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._next = PATIENCE

    def look(self, seconds: float) -> None:
        """Take for how long a sample has been waited for."""
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
    """Have ``look`` called about once a second with the seconds since the block began, from within
    whatever is waited for there; what it raises ends the wait. In the main thread alone.
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
    """End a loader's processes, also those that are stopped or hang: they answer no signal but one,
    and one that is left is waited for when this process ends.

    Args:
        iterator: Of a loader with workers.
        is_stuck: They are known not to answer; they are given no time.
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
