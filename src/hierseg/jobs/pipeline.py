"""Overlaps reading, the network and writing; the caller says what is read and written."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from hierseg.data import bring_to
from hierseg.engines import returning_freed_memory
from hierseg.errors import UserError, lacks_memory
from hierseg.inference import (
    STEP,
    Fit,
    Footprint,
    Prediction,
    Predictor,
    Windows,
    measure_agreement,
)
from hierseg.size import Size

AHEAD = 3  # images that are read ahead of the network, besides a batch
BEHIND = 4  # predictions that may wait to be written, besides a batch
WORKERS = 2  # threads that read, and threads that write
GROUPS = 4  # images that may wait for others of their size, in batches
SECONDS_BETWEEN_LOOKS = 0.1

Pixels = npt.NDArray[np.uint8]
Item = TypeVar("Item")
Result = TypeVar("Result")
Value = TypeVar("Value")


class Reading(NamedTuple, Generic[Item]):
    """An item and its (H, W, 3) uint8 RGB pixels, or the error if it cannot be read.

    Pixels are None for an item that needs no network; it is written in its turn, without a
    prediction.
    """

    item: Item
    pixels: Pixels | UserError | None


class _Division(NamedTuple):
    """Windows in which images of a size are run, and how much memory is missing, in words."""

    windows: Windows
    reason: str


class Pipeline(Generic[Item, Result]):
    """Takes images as they are read, segments them in batches, and writes them in threads.

    The network runs in the calling thread, in which all callbacks but ``write`` are called too. A
    run that would not fit into memory is not started: fewer images are run at once, and one that
    still does not fit in windows.

    Args:
        predictor: The predictor that segments the images.
        batch: Most images of one size that the network runs at once.
        write: Writes an image's outputs, from its prediction and the seconds in the network; called
            in threads.
        finish: Called with the result of ``write``, in the order in which images were segmented.
        skip: Called with an image that could not be segmented, and the reason.
        divide: Called before an image is run in windows, since it does not fit into memory, with
            the windows and how far they change the labels, and with the reason, in words. None
            skips such images.
        workers: Number of threads that write.
    """

    def __init__(
        self,
        predictor: Predictor,
        batch: int,
        write: Callable[[Item, Prediction | None, float], Result],
        finish: Callable[[Result], None],
        skip: Callable[[Item, str], None],
        divide: Callable[[Item, str, str], None] | None = None,
        workers: int = WORKERS,
    ) -> None:
        self.predictor, self.batch, self.workers = predictor, batch, workers
        self.write, self.finish, self.skip, self.divide = write, finish, skip, divide
        self._footprint = Footprint(predictor)
        # Sizes that were run in windows stay so, since the frames of a clip must be run alike.
        self._divisions: dict[tuple[int, ...], _Division] = {}
        self._agreements: dict[tuple[tuple[int, ...], Windows], str] = {}
        self._writing: deque[Future[Result]] = deque()

    def run(self, readings: Iterable[Reading[Item]]) -> None:
        """Segment all images. If an error ends the run, images segmented by then are written."""
        writers = ThreadPoolExecutor(self.workers, "write")
        writing = self._writing
        try:
            for group in group_by_size(readings, self.batch):
                start = time.monotonic()
                predictions = self._predict(group)
                seconds = (time.monotonic() - start) / len(group)
                for reading, prediction in zip(group, predictions, strict=True):
                    if isinstance(prediction, UserError):
                        self.skip(reading.item, getattr(prediction, "reason", str(prediction)))
                        continue
                    writing.append(writers.submit(self.write, reading.item, prediction, seconds))
                self._finish_but(BEHIND + self.workers - WORKERS + self.batch - 1)
            self._finish_but(0)
        finally:
            writers.shutdown()  # waits until segmented images are written, a few at most
            for future in writing:
                if future.exception() is None:
                    self.finish(future.result())
            writing.clear()

    def _finish_but(self, count: int) -> None:
        """Wait until at most ``count`` predictions are still to be written."""
        while len(self._writing) > count:
            self.finish(self._writing.popleft().result())

    def _predict(self, group: list[Reading[Item]]) -> list[Prediction | UserError | None]:
        """Predictions for images of one size, or the errors; None for items without pixels."""
        pixels = []
        for reading in group:
            if reading.pixels is None or isinstance(reading.pixels, UserError):
                return [reading.pixels]  # such a reading is a group of its own
            pixels.append(reading.pixels)
        division = self._divisions.get(pixels[0].shape)
        if division is not None:
            return [one for reading in group for one in self._run_divided(reading, *division)]
        fit = self._fit(pixels)
        if fit.together == 0:
            reason = fit.describe(*pixels[0].shape[:2])
            return [
                one
                for reading in group
                for one in self._run_divided(reading, fit.windows, reason, fit.long_edge)
            ]
        if fit.together < len(group):
            parts = [group[i : i + fit.together] for i in range(0, len(group), fit.together)]
            return [one for part in parts for one in self._predict(part)]
        try:
            with returning_freed_memory() if fit.tight else nullcontext():
                return list(self.predictor.predict_batch(pixels))
        except UserError as error:
            if len(group) == 1:
                return [error]
        except (MemoryError, RuntimeError) as error:
            if not lacks_memory(error):
                raise
            if len(group) == 1:
                size = Size(*pixels[0].shape[:2])
                edge = self.predictor.find_edge(*size)
                reason = f"{size} pixels need more memory than this machine has"
                half = Windows(bring_to(edge, max(size), size)).halve()
                return self._run_divided(group[0], half, reason, edge // 2 // STEP * STEP)
        # One by one they may fit, or only the one that failed the batch fails.
        return [one for reading in group for one in self._predict([reading])]

    def _fit(self, pixels: list[Pixels]) -> Fit:
        height, width = pixels[0].shape[:2]
        fit = self._footprint.fit(height, width, len(pixels))
        if fit.tight and self._writing:  # predictions that wait to be written take memory too
            self._finish_but(0)
            fit = self._footprint.fit(height, width, len(pixels))
        return fit

    def _run_divided(
        self, reading: Reading[Item], windows: Windows | None, reason: str, edge: int = 0
    ) -> list[Prediction | UserError | None]:
        """An image's prediction in windows, or the error; whole it would fit at the long edge
        ``edge``.
        """
        assert isinstance(reading.pixels, np.ndarray)
        self._finish_but(0)
        while self.divide is not None and windows is not None:
            try:
                with returning_freed_memory():
                    how = f"{windows.describe()} ({self._compare(reading.pixels, windows)})"
                    self.divide(reading.item, how, reason)
                    found = self.predictor.predict_batch([reading.pixels], windows=windows)
            except UserError as error:
                return [error]
            except (MemoryError, RuntimeError) as error:
                if not lacks_memory(error):
                    raise
                windows = windows.halve()
                continue
            self._divisions[reading.pixels.shape] = _Division(windows, reason)
            return list(found)
        cure = (
            f"give --long-edge {edge}" if edge >= STEP else "free memory, or make the image smaller"
        )
        return [UserError(f"{reason}; {cure}")]

    def _compare(self, pixels: Pixels, windows: Windows) -> str:
        """How far windows change the labels, in words; measured once for each size."""
        key = pixels.shape, windows
        if key not in self._agreements:
            found = measure_agreement(self.predictor.segmenter, pixels, windows)
            self._agreements[key] = found.describe()
        return self._agreements[key]


def group_by_size(readings: Iterable[Reading[Item]], batch: int) -> Iterator[list[Reading[Item]]]:
    """Group readings into up to ``batch`` images of one size. A reading without pixels is a group
    of its own.

    Images wait for others of their size while no more than a few batches wait in all; then the
    group that has waited longest is yielded as it is.
    """
    groups: dict[tuple[int, ...], list[Reading[Item]]] = {}
    for reading in readings:
        if reading.pixels is None:
            yield from groups.values()  # so that the item comes in its turn
            groups.clear()
        if reading.pixels is None or isinstance(reading.pixels, UserError):
            yield [reading]
            continue
        size = reading.pixels.shape
        group = groups.setdefault(size, [])
        group.append(reading)
        if len(group) == batch:
            yield groups.pop(size)
        elif sum(map(len, groups.values())) >= GROUPS * batch:
            yield groups.pop(next(iter(groups)))
    yield from groups.values()


def read_ahead(
    pool: ThreadPoolExecutor, items: Iterable[Item], read: Callable[[Item], Value], ahead: int
) -> Iterator[Value]:
    """Yield ``read`` of each item, in order, while the pool reads a few items ahead."""
    under_way: deque[Future[Value]] = deque()
    for item in items:
        under_way.append(pool.submit(read, item))
        if len(under_way) > ahead:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


def run_ahead(values: Iterator[Value], ahead: int) -> Generator[Value, None, None]:
    """Yield the values of an iterator that runs in its own thread, at most ``ahead`` values ahead.

    Its exceptions are raised here. The thread ends when this generator is closed.
    """
    queue: Queue[Value | BaseException | None] = Queue(ahead)
    stopped = Event()

    def put(value: Value | BaseException | None) -> bool:
        while not stopped.is_set():
            try:
                queue.put(value, timeout=SECONDS_BETWEEN_LOOKS)
            except Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for value in values:
                if not put(value):
                    return
        except BaseException as error:  # raised again in the caller's thread
            put(error)
        else:
            put(None)

    thread = Thread(target=work, name="read", daemon=True)
    thread.start()
    try:
        while True:
            try:
                value = queue.get(timeout=SECONDS_BETWEEN_LOOKS)
            except Empty:
                continue
            if value is None:
                return
            if isinstance(value, BaseException):
                raise value
            yield value
    finally:
        stopped.set()
        thread.join()
