"""The journal of a folder run: a line an image as it is done, so that a killed run loses none.

To write all of ``summary.json`` for every image, or every few seconds, costs more the more images
there are. A line costs the same for each.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from hierseg.files import open_to_append
from hierseg.ownership import read_lines, with_header

FILE = ".hierseg-journal.jsonl"


class Journal:
    """Lines that are there whatever comes after them; there while a run is not at its end.

    Args:
        out: Folder of the outputs.
        settings: What the outputs depend on.
        anew: Begin it; else an earlier one is gone on with.

    Raises:
        OSError: It cannot be written.
    """

    def __init__(self, out: Path, settings: Mapping[str, Any], anew: bool) -> None:
        self.path = out / FILE
        self._guard = threading.Lock()
        if anew:
            self.path.unlink(missing_ok=True)
        self._file: IO[bytes] | None = open_to_append(self.path)
        if self._file.tell() == 0:
            self.append(with_header({"settings": settings}, "predict"))

    def append(self, content: Mapping[str, Any]) -> None:
        """Add a line; called by any thread."""
        line = json.dumps(content, allow_nan=False).encode() + b"\n"
        with self._guard:
            assert self._file is not None
            self._file.write(line)
            self._file.flush()

    def remove(self) -> None:
        """Remove it, once the summary says all that it says."""
        self.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Leave it for the next run."""
        if self._file is not None:
            self._file.close()
            self._file = None


def read_journal(out: Path) -> tuple[dict[str, Any], Iterator[dict[str, Any]]] | None:
    """The settings of a run that came to no end, and the lines that are whole; None where there is
    no such journal.
    """
    lines = (line for line in read_lines(out / FILE) if isinstance(line, dict))
    settings = next(lines, {}).get("settings")
    return (settings, lines) if isinstance(settings, dict) else None
