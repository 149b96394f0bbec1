"""What a folder run has begun and not ended, in a file: of a run that was killed it says where.

The kernel ends a process that takes too much memory without a word, and a decoder may crash. So
that the next run does not end at the same image with all others undone, those that were under way
come last, one at a time, and one that was alone then is not tried again.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from hierseg.data import get_status
from hierseg.errors import UserError
from hierseg.files import read_text_file
from hierseg.processes import own_rank

FILE = ".hierseg-doing.json"
FATAL = (
    "two runs have ended while it was segmented, as they do for want of memory; give a smaller "
    "--long-edge, or --overwrite to try again"
)
_ORDERLY = (UserError, OSError, KeyboardInterrupt)
"""What ends a run and says nothing against an image."""


class UnderWay:
    """The sources that are under way; a context, whose file is there while something is to be said.

    Of several processes each has a file of its own. What those of an earlier run have left, the
    first takes up before the others begin.

    Args:
        out: Folder of the outputs.
        anew: Leave out of account what an earlier run has left.

    Attributes:
        alone: Whether what is begun now is the only one.
    """

    def __init__(self, out: Path, anew: bool = False) -> None:
        rank = own_rank()
        self.path = out / (f".hierseg-doing.{rank}.json" if rank else FILE)
        self.alone = False
        self._guard = threading.Lock()
        # Sources with size and time, by which an image that was saved anew is known.
        self._doing: dict[str, list[int]] = {}
        self._suspects: list[str] = []
        self._fatal: dict[str, list[int]] = {}
        if rank == 0:
            self._take_up(anew)

    def __enter__(self) -> Self:
        self._write()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None or issubclass(kind, _ORDERLY):
            self._doing.clear()
            self._write()

    def divide(self, sources: Sequence[Path]) -> tuple[list[Path], list[Path], list[Path]]:
        """The sources that can be done together, those for one by one, and those for none."""
        fatal = [source for source in sources if self._is_fatal(source)]
        alone = [source for source in sources if str(source) in self._suspects]
        rest = {*fatal, *alone}
        return [s for s in sources if s not in rest], [s for s in alone if s not in fatal], fatal

    def forget(self, sources: Iterable[Path]) -> None:
        """They are done, though a run was killed before it could say so."""
        done = set(map(str, sources))
        self._suspects = [name for name in self._suspects if name not in done]
        self._write()

    def begin(self, source: Path) -> None:
        """It is about to be read; called by any thread."""
        with self._guard:
            self._doing[str(source)] = _status(str(source))
            self._write()

    def end(self, source: Path) -> None:
        """It is written, or skipped."""
        with self._guard:
            self._doing.pop(str(source), None)
            if str(source) in self._suspects:
                self._suspects.remove(str(source))
            self._write()

    def _take_up(self, anew: bool) -> None:
        for path in (self.path, *self.path.parent.glob(".hierseg-doing.*.json")):
            if not anew:
                self._take(path)
            if path != self.path:
                path.unlink(missing_ok=True)
        self._suspects = [name for name in self._suspects if name not in self._fatal]

    def _take(self, path: Path) -> None:
        """Take up what a process has left."""
        try:
            content = json.loads(read_text_file(path)) if path.exists() else {}
            doing, fatal = dict(content.get("doing", {})), dict(content.get("fatal", {}))
            suspects, alone = list(content.get("suspects", [])), content.get("alone") is True
        except (ValueError, TypeError, AttributeError, RecursionError, UserError, OSError):
            return  # cut off with a power cut, or nobody's: it helps, and nothing stands on it
        if alone:
            fatal |= doing
        else:
            suspects += doing
        self._suspects = list(dict.fromkeys([*self._suspects, *map(str, suspects)]))
        self._fatal |= {name: was for name, was in fatal.items() if was == _status(name)}

    def _is_fatal(self, source: Path) -> bool:
        return str(source) in self._fatal

    def _write(self) -> None:
        if not (self._doing or self._suspects or self._fatal):
            self.path.unlink(missing_ok=True)
            return
        content = {
            "doing": self._doing,
            "alone": self.alone,
            "suspects": self._suspects,
            "fatal": self._fatal,
        }
        self._put(json.dumps(content).encode())

    def _put(self, content: bytes) -> None:
        """Write over the file's content in one call; spaces cover what is longer.

        A new file in place of the old one, twice for each image, would cost milliseconds of disk.
        """
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            os.write(handle, content.ljust(os.fstat(handle).st_size))
        except OSError as error:
            error.filename = str(self.path)
            raise
        finally:
            os.close(handle)


def _status(name: str) -> list[int]:
    """Size and time of a file; nothing of one that is not there."""
    try:
        return list(get_status(Path(name)))
    except (OSError, ValueError):
        return []
