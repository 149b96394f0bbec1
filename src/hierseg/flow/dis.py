"""Dense inverse search (Kroeger et al., ECCV 2016), by OpenCV: no weights, on any CPU."""

from __future__ import annotations

import cv2
import numpy as np

from hierseg.flow.protocol import Flow, FlowError, Image, Pair, check_frames

SMALLEST_SIDE = 16
"""OpenCV finds no patches in smaller frames."""


class DisFlow:
    """OpenCV's DIS at its preset ``medium``, the finest. The number of threads changes nothing."""

    name = "dis"
    needs_before = False

    def fingerprint(self) -> str:
        """See ``FlowEstimator``; another OpenCV may compute another flow."""
        return f"dis medium opencv {cv2.__version__}"

    def estimate(
        self,
        source: Image,
        target: Image,
        before: Image | None = None,
        *,
        where: Pair | None = None,
    ) -> Flow:
        """See ``FlowEstimator``."""
        check_frames(source, target)
        if min(target.shape[:2]) < SMALLEST_SIDE:
            raise FlowError(
                f"frames of {target.shape[0]}x{target.shape[1]} are too small for DIS; give "
                f"sides of {SMALLEST_SIDE} pixels or more."
            )
        # Made anew: it keeps buffers of its last frames, and threads may not share it.
        search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        first, second = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (target, source))
        # From the target to the source, as a backward flow goes.
        return np.asarray(search.calc(first, second, None), np.float32)  # type: ignore[call-overload]
