"""The work on uploads: one thread decodes, one runs the network, one writes.

Each passes its picture to the next, one at a time, so that few are in memory. Between the frames of
a clip, pictures that came meanwhile are run.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

from hierseg.errors import UserError, lacks_memory
from hierseg.serving.clips import segment_clip
from hierseg.serving.decoder import Decoder
from hierseg.serving.limits import Limits, Refusal
from hierseg.serving.model import Model, Outcome
from hierseg.serving.results import write_result
from hierseg.serving.tasks import Task

ENDING = "this server is shutting down; try again when it is back."


class Work:
    """Runs tasks in the order in which they came, between ``start`` and ``end``.

    Args:
        model: The network.
        limits: The resolved limits.
    """

    def __init__(self, model: Model, limits: Limits) -> None:
        self.model, self.limits = model, limits
        self.decoder = Decoder(limits)
        self._changed = threading.Condition()
        self._pictures: deque[Task] = deque()
        self._clips: deque[Task] = deque()
        self._decoded: deque[tuple[Task, Any]] = deque()
        self._segmented: deque[tuple[Task, Outcome]] = deque()
        self._under_way: list[Task] = []
        self._clip: tuple[Task, Generator[bool]] | None = None
        self._ended = False
        self._threads = [
            threading.Thread(target=self._guard, args=(each,), name=name, daemon=True)
            for name, each in (
                ("decode", self._decode),
                ("network", self._run),
                ("write", self._write),
            )
        ]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def end(self, patience: float = 10.0) -> None:
        """Stop working; waiting tasks are refused."""
        self.refuse_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(patience)
        self.decoder.close()
        if self._clip is not None:
            self._clip[1].close()

    def refuse_all(self) -> None:
        """Accept no more tasks and refuse all that wait; returns at once."""
        with self._changed:
            self._ended = True
            waiting = list(self._under_way)
            self._changed.notify_all()
        for task in waiting:
            task.gone = True
            task.fail(Refusal(503, ENDING, 10))

    def submit(self, task: Task) -> None:
        """Put a task at the end of the queue; ``task.future`` gets its result."""
        with self._changed:
            if self._ended:
                raise Refusal(503, ENDING, 10)
            self._under_way.append(task)
            (self._clips if task.is_clip else self._pictures).append(task)
            self._changed.notify_all()
        task.future.add_done_callback(lambda _: self._forget(task))

    def withdraw(self, task: Task) -> None:
        """Withdraw a task whose client is gone: if it has not begun, it never runs."""
        task.gone = True
        with self._changed:
            for queue in (self._pictures, self._clips):
                with suppress(ValueError):
                    queue.remove(task)
        task.future.cancel()

    def count_ahead(self, task: Task) -> int:
        """Number of unfinished tasks that came before ``task``."""
        with self._changed:
            return self._under_way.index(task) if task in self._under_way else 0

    def _forget(self, task: Task) -> None:
        with self._changed, suppress(ValueError):
            self._under_way.remove(task)

    def _guard(self, each: Callable[[], None]) -> None:
        """A thread's loop, which runs until the server ends."""
        while not self._ended:
            try:
                each()
            except Exception:  # of the loop itself, a defect; the tasks' own are caught below
                traceback.print_exc(file=sys.stderr)

    def _attempt(self, task: Task, step: Callable[[], Any]) -> Any:
        """The result of a step of a task; None if it failed, which the client is told."""
        try:
            return step()
        except UserError as error:
            task.fail(error)
        except Exception as error:
            if task.gone:  # and its folder too
                return None
            if lacks_memory(error):
                task.fail(
                    Refusal(503, "this server has not enough memory now; try again later.", 10)
                )
            else:
                traceback.print_exc(file=sys.stderr)
                task.fail(
                    Refusal(500, "this is a defect of the server, whose log has the details.")
                )
        return None

    def _decode(self) -> None:
        """Decode the next picture once the one before was passed on."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended or (bool(self._pictures) and not self._decoded)
            )
            if self._ended:
                return
            task = self._pictures.popleft()
        if task.gone:
            return
        task.state = "decoding"
        pixels = self._attempt(task, lambda: self.decoder.read_picture(task.path, task.sent))
        if pixels is not None:
            self._hand(self._decoded, (task, pixels))

    def _run(self) -> None:
        """Segment the next picture, else the next frame of a clip."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended or self._clip or bool(self._decoded) or bool(self._clips)
            )
            if self._ended:
                return
            picture = self._decoded.popleft() if self._decoded else None
            if picture is None and self._clip is None:
                task = self._clips.popleft()
                self._clip = task, segment_clip(task, self.model, self.limits)
            self._changed.notify_all()
        if picture is not None:
            self._segment(*picture)
        elif self._clip is not None:
            task, frames = self._clip
            if not self._attempt(task, lambda: next(frames, False)):
                frames.close()
                self._clip = None

    def _segment(self, task: Task, pixels: Any) -> None:
        if task.gone:
            return
        task.state = "segmenting"

        def notice(said: str) -> None:
            task.notice = said

        asked = task.asked
        outcome = self._attempt(
            task, lambda: self.model.segment(pixels, asked.how, asked.attention, notice)
        )
        if outcome is not None:
            self._hand(self._segmented, (task, outcome))

    def _write(self) -> None:
        """Write the network's results."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or bool(self._segmented))
            if self._ended:
                return
            task, outcome = self._segmented.popleft()
            self._changed.notify_all()
        if task.gone:
            return
        task.state = "writing"
        view = task.asked.output == "links"

        def write() -> bool:
            write_result(outcome, task.result, task.list_wanted(), view)
            return True

        if self._attempt(task, write):
            task.done = 1
            task.finish()

    def _hand(self, queue: deque[Any], item: Any) -> None:
        """Pass an item to the next thread, once that has taken the one before."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or not queue)
            queue.append(item)
            self._changed.notify_all()
