"""Long work over many items: what is done, what is left, and what was skipped and why.

The same for images, the frames of a clip, and auto-labels. Each is a policy: how an item is read,
what is written of it, and what a record of it holds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, Self, TypeVar

from hierseg.data import FileStatus, get_status
from hierseg.errors import UserError
from hierseg.inference import Prediction, Predictor
from hierseg.jobs.pipeline import AHEAD, WORKERS, Pipeline, Pixels, Reading, read_ahead
from hierseg.jobs.progress import RunProgress
from hierseg.media import UnwritableError, as_unwritable
from hierseg.urls import HERE, Mirrors

Item = TypeVar("Item")
Record = TypeVar("Record")
UNKNOWN = FileStatus(0, 0)
"""Of what is no file, or was not there when it was to be read."""


class Ledger(Protocol[Record]):
    """What is known of the items, and written down as they are done, so that it is there whatever
    comes.

    Attributes:
        records: What is done, by key.
        skipped: Key -> why it could not be done.
    """

    records: dict[str, Record]
    skipped: dict[str, str]

    def add(self, record: Record) -> None:
        """An item is done."""

    def skip(self, key: str, reason: str) -> None:
        """An item could not be done."""


class Source(NamedTuple):
    """The file that a record is of, and its size and time when it was read."""

    path: Path
    status: FileStatus


class Policy(ABC, Generic[Item, Record]):
    """What a kind of work does with an item. ``claim``, ``write`` and ``take_up`` are called in
    writers' threads, ``read`` in readers', all else on the caller's.
    """

    can_divide = True
    """Whether an item may be run by windows for want of memory; else it is skipped."""
    say: Callable[[str], object] = staticmethod(lambda _: None)
    """Takes a line for the reader."""

    @abstractmethod
    def key(self, item: Item) -> str:
        """By what its record is known."""

    @abstractmethod
    def list_files(self, record: Record) -> Sequence[str]:
        """All that was written of an item, relative to the outputs' folder."""

    def find_source(self, record: Record) -> Source | None:
        """The file that a record is of; None where the work as a whole depends on it."""
        return None

    def locate(self, item: Item) -> Path | None:
        """The file that an item is read from; None where it has none of its own."""
        return None

    def read(self, item: Item) -> Pixels:
        """Its pixels; UserError where there are none."""
        raise NotImplementedError

    def claim(self, item: Item, prediction: Prediction) -> None:
        """Have the files of an item down as the work's own, before any is written."""

    def claim_ahead(self, item: Item) -> None:
        """Have all files that there may be of an item down as the work's own: a worker elsewhere is
        about to have it.
        """

    def give_back(self, item: Item) -> None:
        """None of the files were written that were claimed ahead."""

    def prepare_there(self) -> None:
        """Make the folders that are written into, in a worker whose disk may lack them."""

    def copy_for_worker(self) -> Self:
        """What a worker elsewhere needs of it, which claims nothing and can be sent."""
        raise NotImplementedError

    def write(
        self, item: Item, prediction: Prediction, seconds: float, status: FileStatus
    ) -> Record:
        """Write an item's files; UnwritableError or OSError where they cannot be."""
        raise NotImplementedError

    def do(self, item: Item) -> Record:
        """Do an item without a network, its files and all; UserError where it cannot be done, or
        OSError where they cannot be written.
        """
        raise NotImplementedError

    def take_up(self, item: Item, record: Record) -> None:
        """An item that is done already comes in its turn."""

    def divide(self, item: Item, how: str, reason: str) -> None:
        """An item is about to be run by windows for want of memory."""

    def begin(self, item: Item) -> None:
        """An item is about to be read; in a reader's thread."""

    def end(self, item: Item, record: Record | None) -> None:
        """An item is done, or skipped where there is no record."""

    def describe(self, item: Item) -> str:
        """What an item is called where it is said that it is skipped; empty to say nothing."""
        return ""


class Written(NamedTuple, Generic[Item, Record]):
    """An item whose files are there, or why they are not."""

    item: Item
    record: Record | UnwritableError
    is_new: bool = True


class Job(Generic[Item, Record]):
    """Runs a network over items and keeps count of them.

    Args:
        policy: What is done with an item.
        ledger: What earlier runs have done, and where it is written down.
        out: Folder of the outputs.
        batch: Items of one size that the network is given together, at most.
        workers: Threads that read, and as many that write.
        mirrors: Of sources and outputs that are at URLs.

    Attributes:
        progress: Where to say how far it is.
    """

    def __init__(
        self,
        policy: Policy[Item, Record],
        ledger: Ledger[Record],
        out: Path,
        batch: int = 1,
        workers: int = WORKERS,
        mirrors: Mirrors = HERE,
    ) -> None:
        self.policy, self.ledger, self.out, self.batch = policy, ledger, out, batch
        self.workers, self.mirrors = workers, mirrors
        self.progress = RunProgress(0, None)
        self._status: dict[str, FileStatus] = {}
        self._pipeline: Pipeline[Item, Written[Item, Record]] | None = None

    def is_done(self, item: Item) -> bool:
        """Whether an earlier run has done an item, and nothing has changed since."""
        record = self.ledger.records.get(self.policy.key(item))
        return record is not None and self.is_current(record)

    def is_current(self, record: Record) -> bool:
        """Whether an item is as it was, and what was written of it is all there."""
        source = self.policy.find_source(record)
        if source is not None:
            try:
                if get_status(source.path) != source.status:
                    return False
            except (OSError, ValueError):
                return False
        return all((self.out / file).is_file() for file in self.policy.list_files(record))

    def list_waiting(self, items: Iterable[Item]) -> list[Item]:
        """Those that are to be done."""
        return [item for item in items if not self.is_done(item)]

    def run(self, predictor: Predictor, items: Iterable[Item]) -> None:
        """Do items, which are read a few ahead; what is finished is in the ledger at any time."""
        readers = ThreadPoolExecutor(self.workers, "read")
        try:
            readings = read_ahead(readers, items, self.read, self._ahead)
            self.run_readings(predictor, readings)
        finally:
            readers.shutdown(cancel_futures=True)

    @property
    def _ahead(self) -> int:
        """How many items are read before the network asks for them."""
        return AHEAD + self.workers - WORKERS + self.batch - 1

    def run_each(self, items: Iterable[Item]) -> None:
        """Do items that need no network, by as many threads as there are workers; what is finished
        is in the ledger in the order of the items.
        """
        threads = ThreadPoolExecutor(self.workers, "work")
        try:
            for item, record in threads.map(self._do, items):
                if isinstance(record, UserError):
                    self.skip(item, str(record))
                else:
                    self._finish(Written(item, record))
        finally:
            threads.shutdown(cancel_futures=True)

    def _do(self, item: Item) -> tuple[Item, Record | UserError]:
        self.policy.begin(item)
        try:
            return item, self.policy.do(item)
        except UserError as error:
            return item, error
        except OSError as error:
            return item, as_unwritable(error, self.out)

    def run_readings(self, predictor: Predictor, readings: Iterable[Reading[Item]]) -> None:
        """Do items as they are read; those without pixels are done already."""
        if self._pipeline is None or self._pipeline.predictor is not predictor:
            self._pipeline = Pipeline(
                predictor,
                self.batch,
                self._write,
                self._finish,
                self.skip,
                self.policy.divide if self.policy.can_divide else None,
                self.workers,
            )
        predictor.segmenter.on_part = self.progress.show_part
        self._pipeline.run(readings)

    def read(self, item: Item) -> Reading[Item]:
        """Read an item, or say why it cannot be; called by any thread."""
        self.policy.begin(item)
        # Before its pixels: an image that is saved anew meanwhile is not the one that is done.
        path = self.policy.locate(item)
        try:
            with self.mirrors.having(path):
                try:
                    status = UNKNOWN if path is None else get_status(path)
                except OSError:
                    status = UNKNOWN
                self._status[self.policy.key(item)] = status
                return Reading(item, self.policy.read(item))
        except UserError as error:
            return Reading(item, error)

    def skip(self, item: Item, reason: str) -> None:
        """List an item as skipped."""
        key = self.policy.key(item)
        self.policy.end(item, None)
        self._status.pop(key, None)
        self.ledger.skip(key, reason)
        if name := self.policy.describe(item):
            self.progress.say(f"skipped {name}: {reason}")
        self.progress.advance()

    def note(self, record: Record) -> None:
        """Have an item down as done."""
        self.ledger.add(record)
        self.mirrors.tell()

    def sort(self, keys: Iterable[str]) -> None:
        """Bring the records into the order of the keys; others come last."""
        order = {key: position for position, key in enumerate(keys)}
        records = self.ledger.records
        self.ledger.records = {
            key: records[key] for key in sorted(records, key=lambda k: order.get(k, len(order)))
        }

    def _write(
        self, item: Item, prediction: Prediction | None, seconds: float
    ) -> Written[Item, Record]:
        key = self.policy.key(item)
        if prediction is None:
            record = self.ledger.records[key]
            self.policy.take_up(item, record)
            return Written(item, record, is_new=False)
        status = self._status.pop(key, UNKNOWN)
        self.policy.claim(item, prediction)
        try:
            record = self.policy.write(item, prediction, seconds, status)
        except UnwritableError as error:
            return Written(item, error)
        except OSError as error:
            return Written(item, as_unwritable(error, self.out))
        self.mirrors.send(self.policy.list_files(record))
        return Written(item, record)

    def _finish(self, written: Written[Item, Record]) -> None:
        if isinstance(written.record, UnwritableError):
            self.skip(written.item, f"cannot be written: {written.record.reason}")
            return
        if written.is_new:
            self.note(written.record)
        self.policy.end(written.item, written.record)
        self.progress.advance()


def interrupted_after(done: str, overwrite: bool = False) -> KeyboardInterrupt:
    """An interruption that says how to go on: not by doing everything over.

    Args:
        done: How much is done, such as ``3 images``.
        overwrite: Whether the run was to do everything anew.
    """
    command = "the same command without --overwrite" if overwrite else "the same command"
    return KeyboardInterrupt(f"interrupted; {done} are done, and {command} goes on from there.")
