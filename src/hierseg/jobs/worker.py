"""One of several workers that share the items of a job: what it is told, what it tells, and how it
keeps its network busy in between.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, NamedTuple, Protocol, TypeVar

from hierseg.errors import UsageError, UserError

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)
LULL = 0.05
"""Seconds without a further item after which those that are under way are finished: the last of a
batch does not wait for others."""
PATIENCE = 1.0
"""Seconds that an exchange waits for something to tell."""
LINGER = 0.05
"""Seconds that it then waits for more: one exchange carries many short items."""


class Report(NamedTuple):
    """What has become of an item.

    Attributes:
        key: Of the item.
        content: What is to be written down of it; None of one that is skipped.
        reason: Why it is skipped.
        touched: Whether files of one that is skipped may be there.
        notes: Lines for the reader.
    """

    key: str
    content: object = None
    reason: str = ""
    touched: bool = False
    notes: tuple[str, ...] = ()


class Reply(NamedTuple):
    """What a worker tells: of items, and what it has ended with where it has failed."""

    reports: list[Report]
    failure: Exception | None = None


class Hands(Protocol[Item_contra]):
    """What does items, on one thread of its own."""

    def run(self, items: Iterable[Item_contra], report: Callable[[Report], None]) -> None:
        """Do items as they come, and report each."""


class _End:
    """Comes after the last item of a job."""


class Worker(Generic[Item]):
    """Does the items that it is given, in a thread, and tells of those that are done."""

    def __init__(self) -> None:
        self._items: SimpleQueue[Item | _End | None] = SimpleQueue()
        self._told = threading.Condition()
        self._reports: list[Report] = []
        self._failure: Exception | None = None
        self._thread: threading.Thread | None = None

    def open(self, make: Callable[[], Hands[Item]]) -> Reply:
        """Begin a job, once the one before it has ended; what fails is in the reply.

        Args:
            make: Makes what does its items, which may take long.
        """
        if self._thread is not None:
            self._items.put(_End())
            self._thread.join()
        try:
            hands = make()
        except Exception as error:
            return Reply([], portable(error))
        self._thread = threading.Thread(target=self._work, args=[hands], name="items", daemon=True)
        self._thread.start()
        return Reply([])

    def exchange(self, items: Sequence[Item | None]) -> Reply:
        """Take items, and tell what is done since; None has those before it finished before what
        comes after it.
        """
        for item in items:
            self._items.put(item)
        with self._told:
            self._told.wait_for(lambda: self._reports or self._failure, PATIENCE)
        if self._failure is None:
            time.sleep(LINGER)
        with self._told:
            reports, self._reports = self._reports, []
            return Reply(reports, self._failure)

    def _work(self, hands: Hands[Item]) -> None:
        try:
            while True:
                first = self._items.get()
                if isinstance(first, _End):
                    return
                if first is not None:
                    hands.run(self._take(first), self._tell)
        except Exception as error:
            with self._told:
                self._failure = portable(error)
                self._told.notify_all()

    def _take(self, first: Item) -> Iterator[Item]:
        """Items that follow without a lull."""
        item: Item | _End | None = first
        while item is not None:
            if isinstance(item, _End):
                self._items.put(item)
                return
            yield item
            try:
                item = self._items.get(timeout=LULL)
            except Empty:
                return

    def _tell(self, report: Report) -> None:
        with self._told:
            self._reports.append(report)
            self._told.notify_all()


def portable(error: Exception) -> Exception:
    """A failure that another process can be told: a sentence stays one, a system's error itself,
    and of anything else there is the text of its trace.
    """
    if isinstance(error, UserError):
        return (UsageError if isinstance(error, UsageError) else UserError)(str(error))
    if isinstance(error, OSError):
        said = [part for part in (error.errno, error.strerror, error.filename) if part is not None]
        return OSError(*said) if len(said) > 1 else OSError(str(error))
    return RuntimeError("".join(traceback.format_exception(error)))
