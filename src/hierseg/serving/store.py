"""The results that pages can still fetch: in a folder that goes with the session, or stays."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from pathlib import Path
from types import TracebackType
from typing import Self

from hierseg.errors import UserError, reason_of
from hierseg.serving.results import Result


class Store:
    """Folders of results, the oldest of which are removed once they take too much; a context
    manager, at whose end all are gone unless they are to stay.

    Args:
        most: Bytes that all results may take; of those that are to stay nothing is removed.
        keep: Where results stay; None to keep none.

    Raises:
        UserError: The folder cannot be made.
    """

    def __init__(self, most: int, keep: Path | None = None) -> None:
        self._most, self._keep = most, keep
        self._results: OrderedDict[str, tuple[Result, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._passing = Path(tempfile.mkdtemp(prefix="hierseg-serve-"))
        if keep is not None:
            try:
                keep.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                self.close()
                raise UserError(f"--keep {keep}: {reason_of(error)}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what does not stay."""
        shutil.rmtree(self._passing, ignore_errors=True)

    @property
    def keeps(self) -> bool:
        """Whether results stay."""
        return self._keep is not None

    @property
    def passing(self) -> Path:
        """Where files lie that are on their way."""
        return self._passing

    def open(self, name: str) -> tuple[str, Result]:
        """A folder for a result, and the name by which it is found: nobody guesses it."""
        key = secrets.token_urlsafe(12)
        place = self._passing / key
        if self._keep is not None:
            place = self._keep / f"{time.strftime('%Y-%m-%d_%H%M%S')}_{name}_{key[:6]}"
        place.mkdir()
        return key, Result(name, place)

    def add(self, key: str, result: Result) -> None:
        """Let a result be found, and make room for it."""
        size = sum(path.stat().st_size for path in result.folder.iterdir())
        with self._lock:
            self._results[key] = (result, size)
            while self._keep is None and len(self._results) > 1 and self._count() > self._most:
                _, (oldest, _) = self._results.popitem(last=False)
                shutil.rmtree(oldest.folder, ignore_errors=True)

    def find(self, key: str) -> Result | None:
        """The result of a name; None where it is gone or never was."""
        with self._lock:
            found = self._results.get(key)
            return None if found is None else found[0]

    def remove(self, key: str) -> bool:
        """Forget a result, and remove it unless it is to stay."""
        with self._lock:
            found = self._results.pop(key, None)
        if found is not None:
            self.discard(found[0])
        return found is not None

    def discard(self, result: Result, always: bool = False) -> None:
        """Remove a folder unless it is to stay, or ``always``."""
        if always or self._keep is None:
            shutil.rmtree(result.folder, ignore_errors=True)

    def _count(self) -> int:
        return sum(size for _, size in self._results.values())
