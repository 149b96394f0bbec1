"""Images run within a bound on memory: so many together as fit, and one too large by windows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext

from hierseg.engines import returning_freed_memory
from hierseg.errors import UserError
from hierseg.inference.footprint import STEP, Footprint
from hierseg.inference.segmentation import Pixels, Segmentation

_log = logging.getLogger(__name__)


def segment_within(
    footprint: Footprint, images: Sequence[Pixels], long_edge: int | None = None
) -> list[Segmentation]:
    """Segment images of one size as ``Segmenter.segment`` does, by the memory that its options
    leave; the log says where one is run by windows for want of it.

    Raises:
        UserError: One fits in no way.
    """
    height, width = images[0].shape[:2]
    fit = footprint.fit(height, width, len(images), long_edge)
    segmenter = footprint.segmenter
    if fit.together == 0:
        reason = fit.describe(height, width)
        if fit.windows is None:
            edge = fit.long_edge
            cure = f"give --long-edge {edge}" if edge >= STEP else "give more --memory"
            raise UserError(f"{reason}; {cure}.")
        _log.warning("%s; run by %s", reason, fit.windows.describe())
    together = max(1, fit.together)
    found: list[Segmentation] = []
    with returning_freed_memory() if fit.tight else nullcontext():
        for first in range(0, len(images), together):
            part = images[first : first + together]
            found += segmenter.segment(part, long_edge, fit.windows)
    return found
