"""One of several remote workers that share the items of a job. It takes items, reports them, and
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
"""Seconds without a further item after which the items in progress are finished, so that a batch
that is not full does not wait."""
PATIENCE = 1.0
"""Seconds that an exchange waits for the first report."""
LINGER = 0.05
"""Seconds that it then waits for further reports, so that one exchange carries many short items."""


class Report(NamedTuple):
    """The report of an item that is done or skipped.

    Attributes:
        key: Key of the item.
        content: The record of an item that is done; None if it is skipped.
        reason: Why it is skipped.
        touched: Whether files of a skipped item may exist.
        notes: Lines to show to the user.
    """

    key: str
    content: object = None
    reason: str = ""
    touched: bool = False
    notes: tuple[str, ...] = ()


class Reply(NamedTuple):
    """A worker's reply: reports of items, and the error that ended it, if it failed."""

    reports: list[Report]
    failure: Exception | None = None


class Hands(Protocol[Item_contra]):
    """Does the items of a job, in a thread of its own."""

    def run(self, items: Iterable[Item_contra], report: Callable[[Report], None]) -> None:
        """Do items as they come, and report each."""


class _End:
    """Marks the end of a job's items."""


class Worker(Generic[Item]):
    """Does the items that it is given, in a thread, and reports those that are done."""

    def __init__(self) -> None:
        self._items: SimpleQueue[Item | _End | None] = SimpleQueue()
        self._told = threading.Condition()
        self._reports: list[Report] = []
        self._failure: Exception | None = None
        self._thread: threading.Thread | None = None

    def open(self, make: Callable[[], Hands[Item]]) -> Reply:
        """Begin a job, when the job before it has ended; an error is in the reply.

        Args:
            make: Makes what does the job's items; it may take long.
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
        """Take items, and return the reports since the last exchange. Items before a None are
        finished before those after it.
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
        """Yield an item and those that follow it within ``LULL``, up to a None."""
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
    """Convert an error so that it can be pickled: UserError and OSError keep their kind, any other
    becomes a RuntimeError with the text of its traceback.
    """
    if isinstance(error, UserError):
        return (UsageError if isinstance(error, UsageError) else UserError)(str(error))
    if isinstance(error, OSError):
        said = [part for part in (error.errno, error.strerror, error.filename) if part is not None]
        return OSError(*said) if len(said) > 1 else OSError(str(error))
    return RuntimeError("".join(traceback.format_exception(error)))
