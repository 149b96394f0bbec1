"""Fractions of an evaluation in print and in JSON, where there may be none: NaN."""

from __future__ import annotations

import math


def format_percent(value: float, digits: int = 2) -> str:
    """A fraction in per cent, "-" where there is none."""
    return "-" if math.isnan(value) else f"{100 * value:.{digits}f}"


def none_if_nan(value: float) -> float | None:
    """A fraction as JSON takes it, null where there is none."""
    return None if math.isnan(value) else value
