"""The figure of a sweep's run."""

from __future__ import annotations

import json
import math

from hierseg.errors import UserError
from hierseg.files import read_text_file
from hierseg.sweeps.folder import RunPlace
from hierseg.sweeps.plan import RESULT
from hierseg.sweeps.stopping import find_best, read_curve


def read_figure(place: RunPlace, metric: str, smaller_is_better: bool) -> float | None:
    """The best figure of a training run, or that of an evaluation; None if there is none."""
    best = find_best(read_curve(place.run, metric), smaller_is_better)
    if best is not None:
        return best
    try:
        content = json.loads(read_text_file(place.path / RESULT, "result"))
        value = content.get(metric)
    except (UserError, ValueError, AttributeError):
        return None
    is_number = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if is_number else None
