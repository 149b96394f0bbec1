"""The order in which things are painted, and which of them are hidden and need no painting."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hierseg.streets.camera import NEAR, Points

_BINS = 160  # directions in which it is known how high the nearer walls reach


class GroundPlan:
    """Convex outlines on the ground as a camera sees them.

    Args:
        footprints: Outlines (k, 2) in X and Z; k may differ.
        eye: (2,) X and Z of the camera.
        heading: (2,) unit vector in which it looks.
    """

    def __init__(self, footprints: Sequence[Points], eye: Points, heading: Points) -> None:
        local = _padded(footprints) - eye
        self._depth: Points = local @ heading
        self._side: Points = local @ np.array([heading[1], -heading[0]])
        slopes = self._side / np.maximum(self._depth, NEAR)
        self._left: Points = slopes.min(axis=1)
        self._right: Points = slopes.max(axis=1)

    def within(self, reach: Points, slope: float) -> npt.NDArray[np.intp]:
        """Indices of what may be seen between the sight lines side = -slope and +slope * depth.

        Args:
            reach: (n,) metres by which things reach beyond their outlines.
            slope: Half the width of the view a metre ahead.
        """
        beside = np.abs(self._side) - slope * np.maximum(self._depth, 0)
        crosses = (self._side.min(axis=1) < 0) & (self._side.max(axis=1) > 0)
        near = (beside.min(axis=1) <= reach * np.sqrt(1 + slope**2)) | crosses
        return np.flatnonzero(near & (self._depth.max(axis=1) > NEAR - reach))

    def far_to_near(self, chosen: npt.NDArray[np.intp]) -> list[int]:
        """Order outlines so that none hides one that follows it, the farthest first.

        Two outlines matter to each other where they overlap as seen from the eye; there, the one
        that a line of sight through the middle of the overlap meets later comes first. For outlines
        that do not intersect this is free of cycles; where things do, the farthest is taken first.

        Args:
            chosen: (m,) indices of the outlines to order.
        """
        left, right = self._left[chosen], self._right[chosen]
        low = np.maximum(left[:, None], left[None])
        high = np.minimum(right[:, None], right[None])
        first, second = np.nonzero(np.triu(high > low, 1))
        middle = (low + high)[first, second] / 2
        nearer = self._meet(chosen[first], middle) - self._meet(chosen[second], middle)
        behind = np.where(nearer > 0, first, second)  # painted before ...
        before = np.where(nearer > 0, second, first)  # ... this one
        order = _sorted(len(chosen), behind, before, self._depth[chosen].mean(axis=1))
        result: list[int] = chosen[order].tolist()
        return result

    def drop_hidden(
        self, order: list[int], extents: Points, walls: Points, eye_height: float, slope: float
    ) -> list[int]:
        """Leave out of an order (farthest first) what stands wholly behind nearer walls.

        Args:
            order: Indices.
            extents: (n, 2) metres by which things reach beyond their outlines, and their heights.
            walls: (n,) height of what hides all that is behind it; 0 for what does not.
            eye_height: Of the camera, metres.
            slope: Half the width of the view a metre ahead.
        """
        nearest = np.maximum(self._depth.min(axis=1), NEAR)
        farthest = np.maximum(self._depth.max(axis=1), NEAR)
        over = extents[:, 1] - eye_height
        rise = over / np.where(over > 0, nearest, farthest) + 0.01
        wide = extents[:, 0] / nearest
        scale = _BINS / (2 * slope)
        first = np.floor((self._left - wide + slope) * scale).astype(int).clip(0, _BINS - 1)
        last = np.ceil((self._right + wide + slope) * scale).astype(int).clip(1, _BINS)
        skyline = np.full(_BINS, -np.inf)  # rise over depth up to which all is hidden
        kept = []
        for i in reversed(order):
            if skyline[first[i] : last[i]].min() >= rise[i]:
                continue
            kept.append(i)
            if walls[i] > 0:
                self._raise_skyline(skyline, i, walls[i] - eye_height, slope)
        return kept[::-1]

    def _raise_skyline(self, skyline: Points, index: int, over: float, slope: float) -> None:
        """Add a wall; only directions that it fills from edge to edge count."""
        scale = _BINS / (2 * slope)
        start = max(0, int(np.ceil((self._left[index] + slope) * scale)))
        stop = min(_BINS, int(np.floor((self._right[index] + slope) * scale)))
        if start >= stop:
            return
        middle: Points = np.arange(start + 0.5, stop) / scale - slope
        depth = self._meet(np.full(stop - start, index), middle)
        region = skyline[start:stop]
        np.maximum(region, over / np.maximum(depth, NEAR) - 0.01, out=region)

    def _meet(self, index: npt.NDArray[np.intp], slope: Points) -> Points:
        """Depth (m,) at which sight lines side = slope * depth first meet outlines."""
        side, depth = self._side[index], self._depth[index]
        offset = side - slope[:, None] * depth
        following, beyond = np.roll(offset, -1, axis=1), np.roll(depth, -1, axis=1)
        change = offset - following
        crosses = (offset * following <= 0) & (np.abs(change) > 1e-12)
        met = depth + offset / np.where(crosses, change, 1.0) * (beyond - depth)
        first = np.where(crosses & (met > 0), met, np.inf).min(axis=1)
        result: Points = np.where(np.isfinite(first), first, depth.mean(axis=1))
        return result


def _padded(footprints: Sequence[Points]) -> Points:
    """(n, most, 2) outlines with their last corner repeated."""
    most = max((len(outline) for outline in footprints), default=1)
    padded = np.empty((len(footprints), most, 2))
    for i, outline in enumerate(footprints):
        padded[i, : len(outline)] = outline
        padded[i, len(outline) :] = outline[-1]
    return padded


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
