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
    """An upload on its way through the server.

    Attributes:
        path: The uploaded file.
        sent: Its name at the client.
        is_clip: Whether it is a video.
        asked: The parameters of the request.
        result: Its result, filled as it is processed.
        state: Its state.
        done: Frames that are done.
        total: Frames in all; None if unknown.
        notice: The latest message of the engine.
        gone: Whether its client has disconnected.
        future: Has the result when it is done, or the exception.
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
        """The outputs to write, by the names of `hierseg predict --save`."""
        output = self.asked.output
        if output == "json":
            return ()
        if output in ("zip", "links"):
            return (*ALL, "attention") if self.asked.attention else ALL
        return (output,)

    def finish(self) -> None:
        """Mark it as done."""
        self.state = "done"
        with suppress(InvalidStateError):  # nobody waits any more
            self.future.set_result(self.result)

    def fail(self, error: Exception) -> None:
        """Mark it as failed."""
        self.state = "failed"
        with suppress(InvalidStateError):
            self.future.set_exception(error)
