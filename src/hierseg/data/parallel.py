"""One function for each sample of a data set, in several processes, results in order."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

Result = TypeVar("Result")
Progress = Callable[[int, int], None]


def map_in_order(
    function: Callable[[int], Result],
    numbers: range,
    workers: int = 0,
    on_progress: Progress | None = None,
) -> Generator[Result]:
    """``function`` of each number, in order, whatever the number of workers.

    The processes are those that also load training samples: a function's DataError comes out of
    them as its sentence. Whoever stops before the end closes it: the processes answer no signal.

    Args:
        function: Of a number; it must be possible to pickle it, as a method of a data set is.
        numbers: What it is called with.
        workers: Processes; 0 stays in this one.
        on_progress: Called with (numbers done, numbers in all) after each.
    """
    loader = DataLoader(
        _Function(function, numbers),
        batch_size=None,
        num_workers=min(workers, len(numbers)),
        collate_fn=_leave,
        worker_init_fn=prepare_worker,
        generator=torch.Generator(),  # the global one is the run's
    )
    results: Any = iter(loader)
    try:
        for done, result in enumerate(results, start=1):
            if on_progress is not None:
                on_progress(done, len(numbers))
            yield result
    finally:
        if workers > 0:
            # After an error the garbage collector would wait five seconds for the processes.
            results._shutdown_workers()


def prepare_worker(_worker: int) -> None:
    """One thread a process: it is one of several, beside the network's own threads. And a signal to
    the whole group of processes is the main one's to answer: a worker would answer by what it has
    of that one's handlers, and a run still needs the batches of its last step.
    """
    cv2.setNumThreads(0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
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
