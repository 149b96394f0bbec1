"""Evaluates flow: predicted frames against real ones, and flow against exact flow."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hierseg.flow import Flow, FlowError, FlowEstimator, FolderFlow, warp_image
from hierseg.metrics import FrameScores, average_scores, score_frame
from hierseg.propagation.triples import Clips, Frames, Triple

REPEATED = "repeat"
"""Name of the baseline, which repeats the previous frame."""


@dataclass(frozen=True)
class FlowFigures:
    """The figures of an estimator.

    Attributes:
        name: Name of the estimator.
        frames: Number of predicted frames.
        scores: Mean scores of the predicted frames.
        distance: End-point error: mean distance from the exact flow in pixels; NaN if no exact flow
            is known.
        seconds: Mean time of a flow estimate; NaN without frames.
    """

    name: str
    frames: int
    scores: FrameScores
    distance: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON holds them; null for an unknown figure."""
        figures = {"frames": self.frames, **asdict(self.scores), "distance": self.distance}
        figures["seconds"] = self.seconds
        return {"name": self.name} | {
            key: value if math.isfinite(value) else None for key, value in figures.items()
        }


class _Tally:
    def __init__(self) -> None:
        self.scores: list[FrameScores] = []
        self.distances: list[float] = []
        self.seconds = 0.0

    def figures(self, name: str) -> FlowFigures:
        count = len(self.scores)
        distance = float(np.mean(self.distances)) if self.distances else math.nan
        seconds = self.seconds / count if count else math.nan
        return FlowFigures(name, count, average_scores(self.scores), distance, seconds)


def evaluate_flow(
    clips: Clips,
    triples: Sequence[Triple],
    estimators: Sequence[tuple[str, FlowEstimator]],
    truth: FolderFlow | None = None,
    on_progress: Callable[[int, int], object] = lambda done, total: None,
) -> list[FlowFigures]:
    """Predict the last frame of each triple from the one before it, by each estimator's flow.

    Args:
        clips: The clips.
        triples: The triples to evaluate.
        estimators: (name, estimator) pairs.
        truth: Exact flow; frames without exact flow are left out of the end-point error.
        on_progress: Called with (triples done, triples in all).

    Returns:
        Figures of repeating the previous frame, then of each estimator.

    Raises:
        UserError: A frame cannot be read, or an estimator has no flow for it.
    """
    tallies = {name: _Tally() for name in (REPEATED, *(name for name, _ in estimators))}
    for done, triple in enumerate(triples):
        frames = clips.read(triple)
        exact = None if truth is None else _find_exact(truth, frames)
        still = np.zeros((*frames.target.shape[:2], 2), np.float32)
        _count(tallies[REPEATED], frames, still, exact)
        for name, estimator in estimators:
            start = time.perf_counter()
            flow = estimator.estimate(
                frames.source, frames.target, frames.before, where=frames.where
            )
            tallies[name].seconds += time.perf_counter() - start
            _count(tallies[name], frames, flow, exact)
        on_progress(done + 1, len(triples))
    return [tally.figures(name) for name, tally in tallies.items()]


def choose_triples(clips: Clips, count: int) -> list[Triple]:
    """``count`` triples, spread evenly over the clips; all if there are fewer."""
    return spread(clips.list_triples(), count)


def spread(triples: Sequence[Triple], count: int) -> list[Triple]:
    """``count`` of the triples at even distances; all if there are fewer."""
    count = min(count, len(triples))
    return [triples[(2 * place + 1) * len(triples) // (2 * count)] for place in range(count)]


def _find_exact(truth: FolderFlow, frames: Frames) -> Flow | None:
    try:
        return truth.estimate(frames.source, frames.target, where=frames.where)
    except FlowError:  # exact flow need not exist for every frame
        return None


def _count(tally: _Tally, frames: Frames, flow: Flow, exact: Flow | None) -> None:
    tally.scores.append(score_frame(warp_image(frames.source, flow), frames.target))
    if exact is not None:
        distances = np.sqrt(((np.nan_to_num(flow) - exact) ** 2).sum(2))
        tally.distances.append(float(np.nanmean(distances)))
