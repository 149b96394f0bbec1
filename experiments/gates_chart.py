"""The chart of `experiments/gates.py`."""

from __future__ import annotations

from pathlib import Path


def draw_chart(table: Path, path: Path) -> None:
    """Later."""
    raise NotImplementedError
