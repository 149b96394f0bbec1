"""Propagates labels from a labelled frame step by step to its neighbours (METHOD section 8).

Flow is estimated between real frames. Each step warps the result of the step before, so the result
of step k has been warped k times. One flow warps both image and labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hierseg.errors import UserError
from hierseg.flow import PASSES, FlowEstimator, Pair, check_flow, warp_image, warp_labels
from hierseg.propagation.frames import Frame, MissingFrameError

Mode = Literal["joint", "labels"]
"""The image of a propagated label map: joint is the warped image, labels the real frame."""

Read = Callable[[int], Frame]
"""Gives the real frame at a number of steps from the labelled one, negative before it;
MissingFrameError if there is none."""


@dataclass(frozen=True)
class Rules:
    """How labels are propagated.

    Attributes:
        steps: Number of frames in each direction.
        mode: ``"joint"`` or ``"labels"``.
        keep_all: Keep every label, as published; otherwise labels that fail the check become the
            void id.
    """

    steps: int = 5
    mode: Mode = "joint"
    keep_all: bool = False


class Made(NamedTuple):
    """A propagated frame.

    Attributes:
        step: Steps from the labelled frame, negative before it.
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) ids; the void id where the check fails.
        all_labels: (H, W) ids before the check.
        confidence: (H, W) float32 in [0, 1], the lowest of all steps so far.
    """

    step: int
    image: npt.NDArray[np.uint8]
    labels: npt.NDArray[Any]
    all_labels: npt.NDArray[Any]
    confidence: npt.NDArray[np.float32]


def propagate_frame(
    read: Read,
    labels: npt.NDArray[Any],
    is_void: npt.NDArray[np.bool_],
    void: int,
    estimator: FlowEstimator,
    rules: Rules,
    note: Callable[[str], object],
) -> Iterator[Made]:
    """Yield the labelled frame itself, then the frames after it, then those before it.

    Args:
        read: Gives the real frames.
        labels: (H, W) ids of the labelled frame.
        is_void: (H, W) bool: pixels without a class.
        void: The id of pixels without a class.
        estimator: The flow estimator.
        rules: How labels are propagated.
        note: Called with a sentence if a direction ends early.

    Raises:
        UserError: The labelled frame cannot be read. Errors at other frames only end their
            direction.
    """
    frame = read(0)
    confidence = np.where(is_void, 0, 1).astype(np.float32)
    start = Made(0, frame.pixels, labels, labels, confidence)
    yield start
    ends: list[MissingFrameError] = []
    for way in (1, -1):
        made = start
        try:
            for step in range(1, rules.steps + 1):
                made = _take_step(read, made, way * step, way, void, estimator, rules)
                yield made
        except MissingFrameError as error:
            if error.step == way:
                ends.append(error)
            else:
                note(_say_end(frame, error, way, step, rules))
        except UserError as error:
            note(f"{frame.name} is propagated {_count(way, step, rules)}: {error}")
    if len(ends) == 2:
        note(f"{frame.name} is alone in its clip: no frame is before or after it to propagate to.")
    elif ends:
        note(_say_end(frame, ends[0], 1 if ends[0].step > 0 else -1, 1, rules))


def _say_end(frame: Frame, error: MissingFrameError, way: int, step: int, rules: Rules) -> str:
    return (
        f"{frame.name} is propagated {_count(way, step, rules)}, since {error.name} is not there; "
        "add that frame, or give fewer --steps."
    )


def _count(way: int, step: int, rules: Rules) -> str:
    way_word = "forwards" if way > 0 else "backwards"
    return f"{step - 1} of {rules.steps} steps {way_word}"


def _take_step(
    read: Read, made: Made, step: int, way: int, void: int, estimator: FlowEstimator, rules: Rules
) -> Made:
    """Propagate the result of the step before by one step, to ``step``."""
    source, target = read(step - way), read(step)
    _require_size(source, target)
    # Step 1 sees the frames on both sides of the labelled one; later ones the labelled one first.
    before = read(-way if step == way else 0) if estimator.needs_before else None
    if before is not None:
        _require_size(before, target)
    flow = _estimate(estimator, source, target, before)
    back = _estimate_back(read, source, target, step, way, estimator)
    confidence = np.minimum(
        warp_labels(made.confidence, flow), check_flow(source.pixels, target.pixels, flow, back)
    )
    image = warp_image(made.image, flow) if rules.mode == "joint" else target.pixels
    all_labels = warp_labels(made.all_labels, flow)
    labels = all_labels
    if not rules.keep_all:
        labels = np.where(confidence >= PASSES, all_labels, void).astype(all_labels.dtype)
    return Made(step, image, labels, all_labels, confidence)


def _estimate_back(
    read: Read, source: Frame, target: Frame, step: int, way: int, estimator: FlowEstimator
) -> Any:
    """The flow in the other direction, for the check; None if it needs a frame that is missing."""
    before = None
    if estimator.needs_before:
        try:
            before = read(step + way)
        except MissingFrameError:
            return None
        if before.pixels.shape != target.pixels.shape:
            return None
    return _estimate(estimator, target, source, before)


def _estimate(estimator: FlowEstimator, source: Frame, target: Frame, before: Frame | None) -> Any:
    where = Pair(source.place, target.place, None if before is None else before.place)
    pixels = None if before is None else before.pixels
    return estimator.estimate(source.pixels, target.pixels, pixels, where=where)


def _require_size(frame: Frame, other: Frame) -> None:
    if frame.pixels.shape != other.pixels.shape:
        here, there = ("{}x{}".format(*one.pixels.shape[:2]) for one in (frame, other))
        raise UserError(
            f"'{frame.name}' is {here} and '{other.name}' is {there}, but frames of a clip must "
            "have one size; resize them."
        )
