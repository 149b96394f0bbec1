"""The world point that every painted pixel shows, and where that point is at other times.

While a canvas is painted, a trace remembers for each pixel the flat surface that was painted last,
and how that surface moves. From this the flow between two frames follows exactly: a pixel's ray
meets its surface at a point, the point moves, and the other camera sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.streets.camera import Camera, Points

_SHIFT = 3  # as the canvas has it
_SKY, _HOOD = 0, 1  # surfaces: infinitely far away; fixed to the camera
SKY_ITEM, HOOD_ITEM, GROUND_ITEM = -1, -2, 0

STILL: Points = np.eye(3, 4)
"""The affine map (3, 4) of world points that do not move."""

Pair = tuple[Points, Points]
"""Affine maps (3, 4) from world points now to those a frame before, and a frame after."""


class Moves(NamedTuple):
    """How an item moves: all of it, or limb by limb."""

    whole: Pair
    limb: Callable[[int], Pair] | None = None


class Trace:
    """The surfaces on a canvas.

    Args:
        camera: Of the canvas.
        moves: Gives the moves of an item by its number.
    """

    def __init__(self, camera: Camera, moves: Callable[[int], Moves]) -> None:
        self.camera = camera
        self._moves_of = moves
        self._ids = np.zeros((camera.height, camera.width), np.int32)
        self._planes: list[Any] = [np.zeros(3), np.zeros(3)]
        self._items: list[int] = [SKY_ITEM, HOOD_ITEM]
        self._pairs: list[Pair] = [(STILL, STILL)]
        self._moves: list[int] = [0, 0]
        self._item, self._now = GROUND_ITEM, Moves((STILL, STILL))
        self._pair, self._current = 0, _SKY

    def begin(self, number: int) -> None:
        """Begin an item of the scene: everything painted from now on belongs to it."""
        self._item, self._now = number + 1, self._moves_of(number)
        self._use(self._now.whole)

    def begin_hood(self) -> None:
        """Begin what is fixed to the camera: everything painted from now on belongs to it."""
        self._current = _HOOD

    def lie_on(self, point: Points, normal: Points) -> None:
        """What is painted next lies on a plane through a world point (3,)."""
        local = self.camera.to_camera(point)
        across = self.camera.axes @ normal
        distance = float(local @ across)
        self._planes.append(across / distance if abs(distance) > 1e-6 else np.zeros(3))
        self._items.append(self._item)
        self._moves.append(self._pair)
        self._current = len(self._planes) - 1

    def lie_along(self, number: int, centers: Points) -> None:
        """What is painted next is a limb of balls (n, 3): it lies along them, facing the camera."""
        if self._now.limb is not None:
            self._use(self._now.limb(number))
        sight = centers.mean(axis=0) - self.camera.position
        axis = centers[0] - centers[-1]
        length = float(axis @ axis)
        normal = sight - axis * (float(sight @ axis) / length) if length > 1e-6 else sight
        slanted = float(normal @ normal) < 0.01 * float(sight @ sight)
        self.lie_on(centers.mean(axis=0), sight if slanted else normal)

    def fill(self, polygon: npt.NDArray[np.int32]) -> None:
        """A polygon (k, 2) of fixed-point coordinates was filled."""
        if len(polygon) < 3:
            return
        cv2.fillPoly(self._ids, [polygon], float(self._current), cv2.LINE_8, _SHIFT)

    def stroke(self, points: npt.NDArray[np.int32], thickness: int) -> None:
        """A closed line (k, 2) of fixed-point coordinates was drawn."""
        value = float(self._current)
        cv2.polylines(self._ids, [points], True, value, thickness, cv2.LINE_8, _SHIFT)

    def stamp(self, mask: Any, rows: slice, columns: slice) -> None:
        """A region was painted where a mask is not 0."""
        self._ids[rows, columns][np.asarray(mask) != 0] = self._current

    def _use(self, pair: Pair) -> None:
        self._pairs.append(pair)
        self._pair = len(self._pairs) - 1

    def sample(self, over: int) -> Sight:
        """What is seen at the pixels that the label map has, one of ``over`` squared."""
        ids = self._ids[over - 1 :: over, over - 1 :: over]
        rows, columns = np.indices(ids.shape) * over + (over - 1)
        rays = np.stack(
            [
                (columns - self.camera.center[0]) / self.camera.focal,
                (self.camera.center[1] - rows) / self.camera.focal,
                np.ones(ids.shape),
            ],
            axis=-1,
        )
        nearness = np.einsum("hwc,hwc->hw", rays, np.array(self._planes)[ids])
        seen = nearness > 1e-6
        depth = np.where(seen, 1 / np.where(seen, nearness, 1.0), np.inf)
        return Sight(
            self.camera, over, np.array(self._items)[ids], depth, rays, ids == _HOOD,
            np.array(self._moves)[ids], np.array(self._pairs),
        )  # fmt: skip


class Sight(NamedTuple):
    """What a camera sees at every pixel of a label map (H, W).

    Attributes:
        camera: Of the canvas.
        over: Rows and columns of the canvas for one of the map.
        items: Numbers of items from 1 up; ground, sky and hood have numbers of their own.
        depth: Metres ahead; infinite for the sky.
        rays: (H, W, 3) right, up and 1 for a metre ahead.
        hood: Whether it is fixed to the camera.
        moves: Index of how the surface moves.
        pairs: (n, 2, 3, 4) those moves: to the frame before, and to the one after.
    """

    camera: Camera
    over: int
    items: npt.NDArray[np.int64]
    depth: Points
    rays: Points
    hood: npt.NDArray[np.bool_]
    moves: npt.NDArray[np.int64]
    pairs: Points

    def flow(self, other: Sight, after: bool) -> tuple[npt.NDArray[np.float32], Any]:
        """Where the points seen here are seen in the frame before, or in the one after.

        Returns:
            (H, W, 2) displacements (x, y) in pixels of the map, and (H, W) whether the point is
            seen there: within the picture and hidden by nothing.
        """
        far = ~np.isfinite(self.depth)
        local = self.rays * np.where(far, 1e6, self.depth)[..., None]
        world = local @ self.camera.axes + self.camera.position
        maps = self.pairs[self.moves, int(after)]
        moved = np.einsum("hwij,hwj->hwi", maps[..., :3], world) + maps[..., 3]
        there = other.camera.to_camera(moved)
        ahead = there[..., 2] > 0.1
        pixels = other.camera.to_pixels(there)
        height, width = self.depth.shape
        rows, columns = np.indices((height, width))
        here = np.stack([columns, rows], axis=-1) * self.over + (self.over - 1)
        flow = np.where(self.hood[..., None], 0.0, (pixels - here) / self.over)
        flow = np.clip(flow, -4.0 * width, 4.0 * width)
        column = np.floor(columns + flow[..., 0] + 0.5).astype(int)
        row = np.floor(rows + flow[..., 1] + 0.5).astype(int)
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        row, column = row.clip(0, height - 1), column.clip(0, width - 1)
        found = other.depth[row, column]
        expected = np.where(far, np.inf, there[..., 2])
        with np.errstate(invalid="ignore"):
            close = np.abs(found - expected) < 0.1 + 0.04 * expected
        close |= far & ~np.isfinite(found)
        same = other.items[row, column] == self.items
        visible = inside & same & (self.hood | (ahead & close))
        return flow.astype(np.float32), visible
