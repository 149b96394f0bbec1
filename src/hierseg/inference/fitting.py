"""Runs images within a memory limit: as many together as fit, and an image too large in windows."""

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
    """Segment images of one size as ``Segmenter.segment`` does, within the memory that its options
    allow. If an image is run in windows for lack of memory, a warning is logged.

    Args:
        footprint: The memory estimate of a predictor, whose segmenter runs the images.
        images: (H, W, 3) uint8 RGB each.
        long_edge: Long edge in pixels at which the images are run; None for the segmenter's.

    Raises:
        UserError: An image does not fit into memory even in windows.
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
        _log.warning("%s; run in %s", reason, fit.windows.describe())
    together = max(1, fit.together)
    found: list[Segmentation] = []
    with returning_freed_memory() if fit.tight else nullcontext():
        for first in range(0, len(images), together):
            part = images[first : first + together]
            found += segmenter.segment(part, long_edge, fit.windows)
    return found
