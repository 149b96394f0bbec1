"""An upload on its way through the server."""

from __future__ import annotations

from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hierseg.serving.parameters import Parameters
from hierseg.serving.results import ALL, Result

State = Literal["waiting", "decoding", "segmenting", "writing", "done", "failed"]


@dataclass(eq=False)
class Task:
    """An upload on its way.

    Attributes:
        path: Where it lies.
        sent: What its sender calls it.
        is_clip: Whether it is a video.
        asked: What is wanted of it.
        result: Takes what comes of it.
        state: How far it is.
        done: Frames that are done.
        total: Frames that there are to be; None where nobody knows.
        notice: What the engine says.
        gone: Whether nobody waits for it any more.
        future: Done once the result is there; holds the exception where there is none.
    """

    path: Path
    sent: str
    is_clip: bool
    asked: Parameters
    result: Result
    state: State = "waiting"
    done: int = 0
    total: int | None = 1
    notice: str = ""
    gone: bool = False
    future: Future[Result] = field(default_factory=Future)

    def list_wanted(self) -> tuple[str, ...]:
        """What is written of it, by the names of `hierseg predict --save`."""
        output = self.asked.output
        if output == "json":
            return ()
        if output in ("zip", "links"):
            return (*ALL, "attention") if self.asked.attention else ALL
        return (output,)

    def finish(self) -> None:
        """Its result is there."""
        self.state = "done"
        with suppress(InvalidStateError):  # nobody waits any more
            self.future.set_result(self.result)

    def fail(self, error: Exception) -> None:
        """There is no result, and why."""
        self.state = "failed"
        with suppress(InvalidStateError):
            self.future.set_exception(error)
