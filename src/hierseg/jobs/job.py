"""Runs a network over many items, records what is done and skipped, and resumes.

The code is the same for images, the frames of a clip, and auto-labels. Each of these is a policy,
which says how an item is read, what is written for it, and what its record holds.
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
"""Status of an item without a file, or whose file did not exist when it was read."""


class Ledger(Protocol[Record]):
    """Records of the items, saved as the items are done, so that a killed run loses nothing.

    Attributes:
        records: Key -> record, for items that are done.
        skipped: Key -> reason, for items that were skipped.
    """

    records: dict[str, Record]
    skipped: dict[str, str]

    def add(self, record: Record) -> None:
        """Save the record of an item that is done."""

    def skip(self, key: str, reason: str) -> None:
        """Save that an item was skipped, and why."""


class Source(NamedTuple):
    """The file of a record's item, and its size and time when it was read."""

    path: Path
    status: FileStatus


class Policy(ABC, Generic[Item, Record]):
    """What a kind of job does with an item.

    ``claim``, ``write`` and ``take_up`` are called in threads that write, ``begin``, ``read`` and
    ``do`` in threads that read, all other methods in the caller's thread.
    """

    can_divide = True
    """Whether an item that does not fit into memory may be run in windows; else it is skipped."""
    say: Callable[[str], object] = staticmethod(lambda _: None)
    """Called with a line to show to the user."""

    @abstractmethod
    def key(self, item: Item) -> str:
        """The key of an item's record."""

    @abstractmethod
    def list_files(self, record: Record) -> Sequence[str]:
        """All files that were written for an item, relative to the outputs' folder."""

    def find_source(self, record: Record) -> Source | None:
        """The file of a record's item; None if the settings of the whole job identify it."""
        return None

    def locate(self, item: Item) -> Path | None:
        """The file from which an item is read; None if it has no file of its own."""
        return None

    def read(self, item: Item) -> Pixels:
        """(H, W, 3) uint8 RGB of an item; UserError if it cannot be read."""
        raise NotImplementedError

    def claim(self, item: Item, prediction: Prediction) -> None:
        """Record the files of an item as the job's own, before they are written."""

    def claim_ahead(self, item: Item) -> None:
        """Record all possible files of an item as the job's own, before it is sent to a remote
        worker.
        """

    def give_back(self, item: Item) -> None:
        """Undo ``claim_ahead``, since no file of the item was written."""

    def prepare_there(self) -> None:
        """Create the folders of the outputs, on a remote worker, whose disk may not have them."""

    def copy_for_worker(self) -> Self:
        """A copy for a remote worker, which can be pickled and records no files."""
        raise NotImplementedError

    def write(
        self, item: Item, prediction: Prediction, seconds: float, status: FileStatus
    ) -> Record:
        """Write an item's files, and return its record.

        Args:
            item: The item.
            prediction: Its prediction.
            seconds: Time in the network.
            status: Size and time of its file when it was read.

        Raises:
            UnwritableError: Files of this item cannot be written.
            OSError: No files can be written.
        """
        raise NotImplementedError

    def do(self, item: Item) -> Record:
        """Do an item that needs no network, write its files, and return its record.

        Raises:
            UserError: The item cannot be done.
            OSError: Its files cannot be written.
        """
        raise NotImplementedError

    def take_up(self, item: Item, record: Record) -> None:
        """Called for an item that is done already, when it is its turn."""

    def divide(self, item: Item, how: str, reason: str) -> None:
        """Called before an item is run in windows, since it does not fit into memory.

        Args:
            item: The item.
            how: The windows, and how far they change the labels, in words.
            reason: How much memory is missing, in words.
        """

    def begin(self, item: Item) -> None:
        """Called before an item is read."""

    def end(self, item: Item, record: Record | None) -> None:
        """Called when an item is done, or skipped, with None as its record."""

    def describe(self, item: Item) -> str:
        """The name of an item in the message that it is skipped; empty for no message."""
        return ""


class Written(NamedTuple, Generic[Item, Record]):
    """An item and its record, or the error if its files cannot be written; ``is_new`` is False if
    an earlier run did the item.
    """

    item: Item
    record: Record | UnwritableError
    is_new: bool = True


class Job(Generic[Item, Record]):
    """Runs a network over items, and records those that are done and skipped.

    Args:
        policy: What is done with an item.
        ledger: Records of earlier runs, to which those of this run are added.
        out: Folder of the outputs.
        batch: Most items of one size that the network runs at once.
        workers: Number of threads that read, and of threads that write.
        mirrors: Mirrors of sources and outputs at URLs.

    Attributes:
        progress: Display of the progress.
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
        """Whether an earlier run has done an item, and its record is still current."""
        record = self.ledger.records.get(self.policy.key(item))
        return record is not None and self.is_current(record)

    def is_current(self, record: Record) -> bool:
        """Whether the item's file has not changed since, and all its outputs exist."""
        source = self.policy.find_source(record)
        if source is not None:
            try:
                if get_status(source.path) != source.status:
                    return False
            except (OSError, ValueError):
                return False
        return all((self.out / file).is_file() for file in self.policy.list_files(record))

    def list_waiting(self, items: Iterable[Item]) -> list[Item]:
        """The items that are not done."""
        return [item for item in items if not self.is_done(item)]

    def run(self, predictor: Predictor, items: Iterable[Item]) -> None:
        """Do items. A few are read ahead, and each is in the ledger as soon as it is done."""
        readers = ThreadPoolExecutor(self.workers, "read")
        try:
            readings = read_ahead(readers, items, self.read, self._ahead)
            self.run_readings(predictor, readings)
        finally:
            readers.shutdown(cancel_futures=True)

    @property
    def _ahead(self) -> int:
        """Number of items that are read ahead of the network."""
        return AHEAD + self.workers - WORKERS + self.batch - 1

    def run_each(self, items: Iterable[Item]) -> None:
        """Do items that need no network, in ``workers`` threads. They enter the ledger in their
        order.
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
        """Do items that have been read; those without pixels are done already."""
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
        """Read an item's pixels, or the error; any thread may call it."""
        self.policy.begin(item)
        # The status is read before the pixels, so that an image saved meanwhile counts as changed.
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
        """Record an item as skipped."""
        key = self.policy.key(item)
        self.policy.end(item, None)
        self._status.pop(key, None)
        self.ledger.skip(key, reason)
        if name := self.policy.describe(item):
            self.progress.say(f"skipped {name}: {reason}")
        self.progress.advance()

    def note(self, record: Record) -> None:
        """Record an item as done."""
        self.ledger.add(record)
        self.mirrors.tell()

    def sort(self, keys: Iterable[str]) -> None:
        """Sort the records by the order of the keys; records of other keys come last."""
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
    """A KeyboardInterrupt whose message says how to continue.

    Args:
        done: How much is done, such as ``3 images``.
        overwrite: Whether the run was given ``--overwrite``, which would start anew.
    """
    command = "the same command without --overwrite" if overwrite else "the same command"
    return KeyboardInterrupt(f"interrupted; {done} are done, and {command} goes on from there.")
