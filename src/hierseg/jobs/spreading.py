"""Items of a job spread over workers elsewhere, any of which may be lost at any time.

What is told here is all that counts: an item is done when its report is taken, and what a lost
worker had not told yet is given to another.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from hierseg.errors import UserError
from hierseg.jobs.worker import Reply, Report

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)
LEAST = 16
"""Items and batches that a worker has at a time, at least: what is read ahead, run and written."""
MOST = 4096
SECONDS_AHEAD = 1.0
"""How much work a worker has at a time, where that are more items."""
SUSPICIOUS = 2
"""Workers lost while an item was under way, after which it is run alone."""
FATAL = 3
"""Workers lost while an item alone was under way, after which it is skipped."""
LOST = "three workers were lost while it alone was segmented, as they are for want of memory"
KEPT = "what is done is kept, and the same command goes on from there"
SECONDS_TO_START = 60.0


class Answer(NamedTuple):
    """What has come of a call to a worker; no reply where the worker is lost."""

    worker: int
    reply: Reply | None
    why: str = ""


class Crew(Protocol[Item_contra]):
    """Workers, by number, each of which has one call under way."""

    size: int

    def start(self, worker: int) -> None:
        """Begin to open a worker, also in place of one that is lost."""

    def exchange(self, worker: int, items: Sequence[Item_contra | None]) -> None:
        """Begin an exchange with a worker."""

    def wait(self, seconds: float) -> list[Answer]:
        """What has come by now, after so long a time at most."""


class _State(Generic[Item]):
    """What a worker has."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.window = 0
        self.since = 0.0


class Spreading(Generic[Item]):
    """Gives items to workers and takes their reports.

    A worker is given no more than it can do in about a second. An item with which workers were lost
    twice comes last, with nothing else under way, and after three more it is given up.

    Args:
        crew: The workers.
        key: By what an item is known.
        take: Takes a report, once for each item.
        batch: Items that a worker runs together.
        say: Takes a line for the reader.
        images: How many images an item is of.
        again: What is said of what is done, where workers are lost one after the other.
    """

    def __init__(
        self,
        crew: Crew[Item],
        key: Callable[[Item], str],
        take: Callable[[Report], None],
        batch: int = 1,
        say: Callable[[str], None] = lambda _: None,
        images: Callable[[Item], int] = lambda _: 1,
        again: str = KEPT,
    ) -> None:
        self.crew, self.key, self.take, self.batch, self.say = crew, key, take, batch, say
        self.images, self.again = images, again
        self._states = [_State[Item]() for _ in range(crew.size)]
        self._again: deque[Item] = deque()
        self._alone: deque[Item] = deque()
        self._losses: Counter[str] = Counter()
        self._losses_alone: Counter[str] = Counter()
        self._lost_in_vain = 0
        self._groups: Iterator[list[Item]] = iter(())
        self._next: list[Item] | None = None

    def run(self, groups: Iterable[list[Item]], alone: Iterable[Item] = ()) -> None:
        """Do items, to the last.

        Args:
            groups: Those that a worker runs together, in order; one that is not full is finished
                before the next.
            alone: Items with nothing beside them, after all others.

        Raises:
            UserError: What a worker fails with, or workers are lost one after the other.
        """
        self._groups = iter(groups)
        self._next = next(self._groups, None)
        self._alone.extend(alone)
        opened, began, told = set[int](), time.monotonic(), False
        for worker in range(self.crew.size):
            self.crew.start(worker)
        while self._is_left():
            for answer in self.crew.wait(SECONDS_TO_START / 10):
                if answer.reply is None:
                    self._replace(answer)
                    continue
                opened.add(answer.worker)
                self._hear(answer.worker, answer.reply)
                self.crew.exchange(answer.worker, self._choose(answer.worker))
            if not (opened or told) and time.monotonic() - began > SECONDS_TO_START:
                told = True
                self.say("no worker has started yet; does Ray have room for one? see `ray status`")

    def _is_left(self) -> bool:
        waiting = self._next is not None or self._again or self._alone
        return bool(waiting) or any(state.items for state in self._states)

    def _hear(self, worker: int, reply: Reply) -> None:
        """Take a reply, and see how much the worker does in a second."""
        state, now = self._states[worker], time.monotonic()
        for report in reply.reports:
            if state.items.pop(report.key, None) is not None:
                self._lost_in_vain = 0
                self.take(report)
        if reply.failure is not None:
            raise reply.failure
        rate = len(reply.reports) / max(now - state.since, 1e-3)
        wanted = min(math.ceil(rate * SECONDS_AHEAD), MOST)
        # Slowly down, and up at once: what is written late makes a second look idle.
        state.window = max(wanted, state.window * 3 // 4, LEAST + 4 * self.batch)
        state.since = now

    def _choose(self, worker: int) -> list[Item | None]:
        """What a worker is given next."""
        state, chosen = self._states[worker], list[Item | None]()
        if any(key in self._losses_alone for key in state.items):
            return []
        while len(state.items) < state.window:
            if self._again:
                group = [self._again.popleft()]
            elif self._next is not None:
                group, self._next = self._next, next(self._groups, None)
            else:
                break
            state.items |= {self.key(item): item for item in group}
            chosen += group
            if len(group) < self.batch:
                chosen.append(None)
        if not state.items and self._alone:
            item = self._alone.popleft()
            state.items[self.key(item)] = item
            self._losses_alone.setdefault(self.key(item), 0)
            return [item, None]
        return chosen

    def _replace(self, answer: Answer) -> None:
        """Put another in the place of a lost worker, and give what it had to others."""
        state = self._states[answer.worker]
        self._lost_in_vain += 1
        if self._lost_in_vain > 3 * self.crew.size + 3:
            raise UserError(
                f"workers are lost one after the other, before they have done anything "
                f"({answer.why}); {self.again}."
            )
        for key, item in reversed(state.items.items()):
            if key in self._losses_alone:
                self._losses_alone[key] += 1
                if self._losses_alone[key] >= FATAL:
                    self._lost_in_vain = 0
                    self.take(Report(key, reason=LOST, touched=True))
                    continue
                self._alone.append(item)
                continue
            self._losses[key] += 1
            if self._losses[key] >= SUSPICIOUS:
                self._alone.append(item)
            else:
                self._again.appendleft(item)
        count = sum(map(self.images, state.items.values()))
        self.say(
            f"a worker is lost ({answer.why}); another takes its place"
            + (f", and {count} images that were under way are done again" if count else "")
        )
        self._states[answer.worker] = _State()
        self.crew.start(answer.worker)
