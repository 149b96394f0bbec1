"""Spreads the items of a job over remote workers, any of which may be lost at any time.

An item is done when its report has arrived here. Items that a lost worker has not reported are
given to another worker.
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
"""Fewest items that a worker has at a time, besides four batches, to keep it busy."""
MOST = 4096
"""Most items that a worker has at a time."""
SECONDS_AHEAD = 1.0
"""A worker has so many seconds of work at a time, if these are more than ``LEAST`` items."""
SUSPICIOUS = 2
"""After so many workers were lost while they had an item, it is run alone."""
FATAL = 3
"""After so many workers were lost while they ran an item alone, it is skipped."""
LOST = "three workers were lost while it alone was segmented, perhaps for lack of memory"
KEPT = "what is done is kept, and the same command goes on from there"
SECONDS_TO_START = 60.0
"""Seconds without any worker after which a message says so."""


class Answer(NamedTuple):
    """The answer to a call to a worker; without a reply it is lost, for the reason in ``why``."""

    worker: int
    reply: Reply | None
    why: str = ""


class Crew(Protocol[Item_contra]):
    """Remote workers, by number, each with at most one call in progress."""

    size: int

    def start(self, worker: int) -> None:
        """Begin to open a worker, or to replace a lost one."""

    def exchange(self, worker: int, items: Sequence[Item_contra | None]) -> None:
        """Begin to send items to a worker and get its reports; see ``Worker.exchange``."""

    def wait(self, seconds: float) -> list[Answer]:
        """The answers that have arrived; waits at most ``seconds`` for the first."""


class _State(Generic[Item]):
    """The state of a worker: its items, how many it may have, and when it last replied."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.window = 0
        self.since = 0.0


class Spreading(Generic[Item]):
    """Gives items to workers and takes their reports.

    A worker has no more items than it can do in about a second. If two workers that had an item
    were lost, the item is run last, alone in its worker; if three more are lost, it is skipped.

    Args:
        crew: The workers.
        key: The key of an item.
        take: Called with the report of each item, once.
        batch: Number of items that a worker runs together.
        say: Called with a line to show to the user.
        images: The number of images of an item.
        again: How to continue, for the error if workers are lost one after the other.
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
        """Do all items.

        Args:
            groups: Groups of items that a worker runs together, in order; a group that is not full
                is finished before the next.
            alone: Items that are run after all others, alone in their worker.

        Raises:
            UserError: A worker fails, or workers are lost one after the other.
            OSError: A worker cannot write.
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
        """Take a worker's reports, and estimate how many items it does in a second."""
        state, now = self._states[worker], time.monotonic()
        for report in reply.reports:
            if state.items.pop(report.key, None) is not None:
                self._lost_in_vain = 0
                self.take(report)
        if reply.failure is not None:
            raise reply.failure
        rate = len(reply.reports) / max(now - state.since, 1e-3)
        wanted = min(math.ceil(rate * SECONDS_AHEAD), MOST)
        # The window grows at once and shrinks slowly, since late reports make a second look idle.
        state.window = max(wanted, state.window * 3 // 4, LEAST + 4 * self.batch)
        state.since = now

    def _choose(self, worker: int) -> list[Item | None]:
        """The items that a worker gets next; None ends a group that is not full."""
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
        """Start another worker in place of a lost one, and give its items to others."""
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
