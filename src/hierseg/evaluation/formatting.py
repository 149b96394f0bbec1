"""Figures of an evaluation, which may be NaN, in print and in JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable

from hierseg.errors import make_printable


def format_percent(value: float, digits: int = 2) -> str:
    """A fraction in per cent; "-" for NaN."""
    return "-" if math.isnan(value) else f"{100 * value:.{digits}f}"


def none_if_nan(value: float) -> float | None:
    """A fraction as JSON holds it; null for NaN."""
    return None if math.isnan(value) else value


def join_lines(lines: Iterable[str]) -> str:
    """Lines of a table; control characters in names, which come from files, are escaped."""
    return "\n".join(map(make_printable, lines))
