"""Fractions and counts of an evaluation in print and in JSON, where there may be none: NaN."""

from __future__ import annotations

import math
from collections.abc import Iterable

from hierseg.errors import make_printable


def format_percent(value: float, digits: int = 2) -> str:
    """A fraction in per cent, "-" where there is none."""
    return "-" if math.isnan(value) else f"{100 * value:.{digits}f}"


def none_if_nan(value: float) -> float | None:
    """A fraction as JSON takes it, null where there is none."""
    return None if math.isnan(value) else value


def join_lines(lines: Iterable[str]) -> str:
    """Lines of a table; names of classes and of data come from files, and move no cursor."""
    return "\n".join(map(make_printable, lines))
