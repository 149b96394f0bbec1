"""How far a flow can be trusted: does the way back lead home, and do the colours agree."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.flow.protocol import Flow, Image, check_frames
from hierseg.flow.warping import as_batch, leaves_picture, warp, warp_image

PASSES = 0.5
"""The confidence from which on a pixel passes the check."""
RELATIVE, ABSOLUTE = 0.01, 0.5
"""Of the forward-backward check (Sundaram et al., ECCV 2010): the squared distance from home may
be 0.01 of the squared lengths of both flows together, and 0.5 square pixels more."""
COLOR_TOLERANCE = 20.0
"""Grey values that colours may differ by, on average over a window of 3x3: noise and light."""


def check_flow(
    source: Image,
    target: Image,
    flow: Flow,
    back: Flow | None = None,
    tolerance: float = COLOR_TOLERANCE,
) -> npt.NDArray[np.float32]:
    """Confidence of each pixel of a flow, from 0 to 1.

    It is the lower one of two: of the way there and back, ``2^-(squared distance / limit)``, and of
    the colours, ``2^-(difference / tolerance)``. So it is 0.5 (``PASSES``) where one of them is
    just at its limit. It is 0 where the flow leaves the picture or is not known.

    Args:
        source: (H, W, 3) uint8 RGB.
        target: The same.
        flow: (H, W, 2) backward flow from target to source.
        back: (H, W, 2) flow from source to target; without it the colours alone are compared.
        tolerance: Difference of colours at which the confidence is 0.5, in grey values.

    Returns:
        (H, W) float32.
    """
    check_frames(source, target)
    confidence = np.exp2(-measure_difference(source, target, flow) / np.float32(tolerance))
    if back is not None:
        confidence = np.minimum(confidence, np.exp2(-_measure_return(flow, back)))
    confidence[leaves_picture(flow) | np.isnan(confidence)] = 0
    return np.asarray(confidence, np.float32)


def measure_difference(source: Image, target: Image, flow: Flow) -> npt.NDArray[np.float32]:
    """The photometric error: mean absolute difference of the colours of the target and the moved
    source, in grey values, over a window of 3x3; (H, W) float32.
    """
    difference = cv2.absdiff(warp_image(source, flow), target).astype(np.float32).mean(2)
    return np.asarray(cv2.blur(difference, (3, 3), borderType=cv2.BORDER_REPLICATE), np.float32)


def _measure_return(flow: Flow, back: Flow) -> npt.NDArray[np.float32]:
    """Squared distance from home by what it may be; NaN where it is not known."""
    moved = warp(as_batch(back), as_batch(flow))[0].permute(1, 2, 0).numpy()
    distance = ((flow + moved) ** 2).sum(2)
    limit = RELATIVE * ((flow**2).sum(2) + (moved**2).sum(2)) + ABSOLUTE
    return np.asarray(distance / limit, np.float32)
