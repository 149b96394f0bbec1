"""What estimates motion between two frames: one protocol, whatever computes it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from hierseg.errors import UserError

Image = npt.NDArray[np.uint8]
"""(H, W, 3) RGB."""
Flow = npt.NDArray[np.float32]
"""(H, W, 2): u to the right and v downwards, in pixels."""


class FlowError(UserError):
    """No flow can be had for a pair of frames; the sentence says why."""


class Pair(NamedTuple):
    """The names of two frames, and of the one before the source where there is one.

    A name is a path without its ending, relative to the folder of the frames: ``clip/000019``. So
    are the files of a folder of flow named.
    """

    source: str
    target: str
    before: str | None = None


class FlowEstimator(Protocol):
    """Estimates the backward flow from a target frame to a source frame.

    Backward: ``target(x, y)`` shows what ``source(x + u, y + v)`` shows, so that the flow pulls
    the source, and its labels, into the place of the target (METHOD section 8).
    """

    @property
    def name(self) -> str:
        """As the user asks for it: ``dis``, ``sdcnet``."""

    @property
    def needs_before(self) -> bool:
        """Whether ``estimate`` needs a third frame."""

    def fingerprint(self) -> str:
        """What tells this estimator from others, for resuming: its name, and what it computes
        with, as in ``sdcnet 0123456789abcdef dis``.
        """

    def estimate(
        self,
        source: Image,
        target: Image,
        before: Image | None = None,
        *,
        where: Pair | None = None,
    ) -> Flow:
        """The flow by which the source becomes the target.

        Args:
            source: (H, W, 3) uint8 RGB.
            target: The same, of the same size.
            before: The real frame that comes before the source as seen from the target, of the
                same size; for those that need it.
            where: The names of source and target, for those that look them up.

        Returns:
            (H, W, 2) float32 in pixels; NaN where it is not known.

        Raises:
            FlowError: There is none for this pair: frames of two sizes, or too small, a third
                frame that is missing, a file that is missing or damaged.
        """


def check_frames(source: Image, target: Image, before: Image | None = None) -> None:
    """FlowError unless the frames are RGB and of one size."""
    for frame in (source, target) if before is None else (source, target, before):
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise FlowError("flow is estimated between RGB images of 8 bits; convert the frames.")
        if frame.shape != target.shape:
            here, there = ("{}x{}".format(*one.shape[:2]) for one in (frame, target))
            raise FlowError(
                f"flow needs frames of one size, and these have {here} and {there}; resize them."
            )
