"""How well flow makes the next frame: against the real one, and against exact flow."""

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
"""The name of what every estimator is compared with: the frame before, as it is."""


@dataclass(frozen=True)
class FlowFigures:
    """What an estimator achieves.

    Attributes:
        name: Of the estimator.
        frames: How many frames were made.
        scores: Means over them.
        distance: End-point error: mean distance from the exact flow in pixels; NaN without it.
        seconds: Time that a frame takes.
    """

    name: str
    frames: int
    scores: FrameScores
    distance: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it: null for what is not known."""
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
    """Make the last frame of each triple of the one before it, by the flow of each estimator.

    Args:
        clips: Where frames come from.
        triples: Which are made.
        estimators: By name.
        truth: Exact flow, where there is some.
        on_progress: Told (done, total) triples.

    Returns:
        Figures of repeating the frame, then of each estimator.

    Raises:
        UserError: A frame cannot be read, or there is no flow.
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
    """So many triples, spread evenly over all."""
    return spread(clips.list_triples(), count)


def spread(triples: Sequence[Triple], count: int) -> list[Triple]:
    """So many of them, in even distances; all where there are fewer."""
    count = min(count, len(triples))
    return [triples[(2 * place + 1) * len(triples) // (2 * count)] for place in range(count)]


def _find_exact(truth: FolderFlow, frames: Frames) -> Flow | None:
    try:
        return truth.estimate(frames.source, frames.target, where=frames.where)
    except FlowError:  # it need not be known of every frame
        return None


def _count(tally: _Tally, frames: Frames, flow: Flow, exact: Flow | None) -> None:
    tally.scores.append(score_frame(warp_image(frames.source, flow), frames.target))
    if exact is not None:
        distances = np.sqrt(((np.nan_to_num(flow) - exact) ** 2).sum(2))
        tally.distances.append(float(np.nanmean(distances)))
