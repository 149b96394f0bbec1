"""Who stands before whom: an order in which things can be painted one over the other."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hierseg.data.streets.camera import NEAR, Points


def in_view(
    footprints: Sequence[Points], reach: Points, eye: Points, heading: Points, slope: float
) -> npt.NDArray[np.bool_]:
    """Which outlines (k, 2) may be seen between sight lines side = -slope and +slope * depth.

    Args:
        footprints: Outlines in X and Z; k may differ.
        reach: (n,) metres by which things stand out over their outlines.
        eye: (2,) X and Z of the camera.
        heading: (2,) unit vector in which it looks.
        slope: Half the width of the view a metre ahead.
    """
    local = _padded(footprints) - eye
    depth = local @ heading
    side = local @ np.array([heading[1], -heading[0]])
    beside = np.abs(side) - slope * np.maximum(depth, 0)
    crosses = (side.min(axis=1) < 0) & (side.max(axis=1) > 0)
    near = (beside.min(axis=1) <= reach * np.sqrt(1 + slope**2)) | crosses
    result: npt.NDArray[np.bool_] = near & (depth.max(axis=1) > NEAR - reach)
    return result


def far_to_near(footprints: Sequence[Points], eye: Points, heading: Points) -> list[int]:
    """Order convex outlines on the ground so that none hides one that follows it.

    Two outlines matter to each other where they overlap as seen from the eye; there, the one that a
    line of sight through the middle of the overlap meets later is painted first. For outlines that do
    not intersect this is free of cycles; where things do intersect, the farthest is taken first.

    Args:
        footprints: Outlines (k, 2) in X and Z; k may differ.
        eye: (2,) X and Z of the camera.
        heading: (2,) unit vector in which it looks.

    Returns:
        Indices of ``footprints``, farthest first.
    """
    count = len(footprints)
    if count == 0:
        return []
    corners = _padded(footprints)
    local = corners - eye
    depth = local @ heading
    side = local @ np.array([heading[1], -heading[0]])
    slopes = side / np.maximum(depth, NEAR)
    left, right = slopes.min(axis=1), slopes.max(axis=1)
    low = np.maximum(left[:, None], left[None])
    high = np.minimum(right[:, None], right[None])
    first, second = np.nonzero(np.triu(high > low, 1))
    middle = (low + high)[first, second] / 2
    plan = np.stack([side, depth], axis=-1)
    nearer = _reach(plan[first], middle) - _reach(plan[second], middle)
    behind = np.where(nearer > 0, first, second)  # painted before ...
    before = np.where(nearer > 0, second, first)  # ... this one
    return _sorted(count, behind, before, depth.mean(axis=1))


def _padded(footprints: Sequence[Points]) -> Points:
    """(n, most, 2) outlines with their last corner repeated."""
    most = max(len(outline) for outline in footprints)
    padded = np.empty((len(footprints), most, 2))
    for i, outline in enumerate(footprints):
        padded[i, : len(outline)] = outline
        padded[i, len(outline) :] = outline[-1]
    return padded


def _reach(plan: Points, slope: Points) -> Points:
    """Depth (n,) at which the sight lines side = slope * depth first meet outlines (n, k, 2)."""
    start, stop = plan, np.roll(plan, -1, axis=1)
    offset_start = start[..., 0] - slope[:, None] * start[..., 1]
    offset_stop = stop[..., 0] - slope[:, None] * stop[..., 1]
    change = offset_start - offset_stop
    crosses = (offset_start * offset_stop <= 0) & (np.abs(change) > 1e-12)
    share = offset_start / np.where(crosses, change, 1.0)
    depth = start[..., 1] + share * (stop[..., 1] - start[..., 1])
    met = np.where(crosses & (depth > 0), depth, np.inf).min(axis=1)
    return np.where(np.isfinite(met), met, plan[..., 1].mean(axis=1))


def _sorted(
    count: int, behind: npt.NDArray[np.intp], before: npt.NDArray[np.intp], depth: Points
) -> list[int]:
    """Topological order, the farthest of those that are free first."""
    waiting = np.bincount(before, minlength=count).tolist()
    follows: list[list[int]] = [[] for _ in range(count)]
    for i, j in zip(behind.tolist(), before.tolist(), strict=True):
        follows[i].append(j)
    keys = (-depth).tolist()
    free = [(keys[i], i) for i in range(count) if waiting[i] == 0]
    heapq.heapify(free)
    left = set(range(count))
    order: list[int] = []
    while left:
        chosen = heapq.heappop(free)[1] if free else min(left, key=keys.__getitem__)
        if chosen not in left:
            continue
        left.remove(chosen)
        order.append(chosen)
        for j in follows[chosen]:
            waiting[j] -= 1
            if waiting[j] == 0 and j in left:
                heapq.heappush(free, (keys[j], j))
    return order
