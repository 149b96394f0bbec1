"""Workers in this process, in place of actors of Ray."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hierseg.jobs.spreading import Answer
from hierseg.jobs.worker import Hands, Reply, Worker


class WorkersHere:
    """Hires workers in this process; all that they are told and tell is pickled, as it is sent.

    Args:
        size: How many.
        loses: Exchanges, counted over all, with which a worker is lost, with what it has to tell.
    """

    def __init__(self, size: int = 2, loses: Sequence[int] = ()) -> None:
        self.size, self.loses = size, set(loses)
        self.losses = 0

    @contextmanager
    def hire(self, make: Callable[[], Hands[Any]]) -> Iterator[_CrewHere]:
        yield _CrewHere(self, make)


class _CrewHere:
    def __init__(self, hired: WorkersHere, make: Callable[[], Hands[Any]]) -> None:
        self.size, self._hired, self._make = hired.size, hired, make
        self._workers: dict[int, Worker[Any]] = {}
        self._answers: deque[Answer] = deque()
        self._calls = 0

    def start(self, worker: int) -> None:
        self._workers[worker] = Worker()
        reply = self._workers[worker].open(_send(self._make))
        self._answers.append(Answer(worker, _send(reply)))

    def exchange(self, worker: int, items: Sequence[Any]) -> None:
        self._calls += 1
        reply: Reply = self._workers[worker].exchange(_send(list(items)))
        if self._calls in self._hired.loses:
            self._hired.losses += 1
            self._answers.append(Answer(worker, None, "killed"))
            return
        self._answers.append(Answer(worker, _send(reply)))

    def wait(self, seconds: float) -> list[Answer]:
        return [self._answers.popleft()]


def _send(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))
