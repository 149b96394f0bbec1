"""The store of results that pages can fetch: in a temporary folder, or in one that is kept."""

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
    """Folders of results. The oldest are removed when they take too much space. A context manager
    that removes all at its end, unless they are kept.

    Args:
        most: Largest size of all results in bytes; kept results are never removed.
        keep: The folder in which results are kept; None to keep none.

    Raises:
        UserError: The folder cannot be created.
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
        """Remove the results that are not kept."""
        shutil.rmtree(self._passing, ignore_errors=True)

    @property
    def keeps(self) -> bool:
        """Whether results are kept."""
        return self._keep is not None

    @property
    def passing(self) -> Path:
        """The folder of temporary files."""
        return self._passing

    def open(self, name: str) -> tuple[str, Result]:
        """A folder for a result, and its key, which cannot be guessed."""
        key = secrets.token_urlsafe(12)
        place = self._passing / key
        if self._keep is not None:
            place = self._keep / f"{time.strftime('%Y-%m-%d_%H%M%S')}_{name}_{key[:6]}"
        place.mkdir()
        return key, Result(name, place)

    def add(self, key: str, result: Result) -> None:
        """Add a result to those that can be found, and remove old ones to make room."""
        size = sum(path.stat().st_size for path in result.folder.iterdir())
        with self._lock:
            self._results[key] = (result, size)
            while self._keep is None and len(self._results) > 1 and self._count() > self._most:
                _, (oldest, _) = self._results.popitem(last=False)
                shutil.rmtree(oldest.folder, ignore_errors=True)

    def find(self, key: str) -> Result | None:
        """The result of a key; None if there is none any more."""
        with self._lock:
            found = self._results.get(key)
            return None if found is None else found[0]

    def remove(self, key: str) -> bool:
        """Make a result unavailable, and remove its files unless they are kept."""
        with self._lock:
            found = self._results.pop(key, None)
        if found is not None:
            self.discard(found[0])
        return found is not None

    def discard(self, result: Result, always: bool = False) -> None:
        """Remove a result's folder unless it is kept; with ``always`` in any case."""
        if always or self._keep is None:
            shutil.rmtree(result.folder, ignore_errors=True)

    def _count(self) -> int:
        return sum(size for _, size in self._results.values())
