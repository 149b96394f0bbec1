"""Keeps a file of the images that a run is segmenting, to find out which image killed it.

The operating system kills a process that takes too much memory, and a decoder may crash. So that
the next run does not end at the same image again, the images that were being segmented come last,
one at a time. An image that was alone when a run was killed is not tried again.
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
    "two runs were killed while it was segmented, perhaps for lack of memory; give a smaller "
    "--long-edge, or --overwrite to try again"
)
_ORDERLY = (UserError, OSError, KeyboardInterrupt)
"""Errors that end a run without being the fault of an image."""


class UnderWay:
    """The images that are being segmented, in a file; a context manager. The file is removed when
    it has nothing to say.

    With several processes each has a file of its own. The first process reads the files of an
    earlier run before the others begin.

    Args:
        out: Folder of the outputs.
        anew: Ignore the files of an earlier run.

    Attributes:
        alone: Whether images are now segmented one at a time.
    """

    def __init__(self, out: Path, anew: bool = False) -> None:
        rank = own_rank()
        self.path = out / (f".hierseg-doing.{rank}.json" if rank else FILE)
        self.alone = False
        self._guard = threading.Lock()
        # Source -> size and time of its file, by which a changed image is noticed.
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
        """Divide sources into those to do together, those to do one by one, and those to skip."""
        fatal = [source for source in sources if self._is_fatal(source)]
        alone = [source for source in sources if str(source) in self._suspects]
        rest = {*fatal, *alone}
        return [s for s in sources if s not in rest], [s for s in alone if s not in fatal], fatal

    def forget(self, sources: Iterable[Path]) -> None:
        """Forget sources that are done, though the run was killed before it noted that."""
        done = set(map(str, sources))
        self._suspects = [name for name in self._suspects if name not in done]
        self._write()

    def begin(self, source: Path) -> None:
        """Note a source that is about to be read; any thread may call it."""
        with self._guard:
            self._doing[str(source)] = _status(str(source))
            self._write()

    def end(self, source: Path) -> None:
        """Remove a source that is written or skipped."""
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
        """Read the file that a process has left."""
        try:
            content = json.loads(read_text_file(path)) if path.exists() else {}
            doing, fatal = dict(content.get("doing", {})), dict(content.get("fatal", {}))
            suspects, alone = list(content.get("suspects", [])), content.get("alone") is True
        except (ValueError, TypeError, AttributeError, RecursionError, UserError, OSError):
            return  # damaged, or not of hierseg; the run can do without it
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
    """Size and time of a file; empty if it does not exist."""
    try:
        return list(get_status(Path(name)))
    except (OSError, ValueError):
        return []
