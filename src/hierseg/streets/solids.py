"""Solid bodies of flat faces: how vehicles, boxes, roofs and signs are built and painted.

Local coordinates in metres: x forward, y up, z to the right. A body is a list of parts; every part
is convex, so its faces need no order among themselves: those turned away are left out.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hierseg.streets.camera import NEAR, Points
from hierseg.streets.canvas import Color, to_fixed
from hierseg.streets.stage import Stage


class Tone(NamedTuple):
    """A colour that depends on a body's paint: a multiple of it, and some grey."""

    share: float
    plus: float = 0.0


PAINT = Tone(1.0)
"""The paint itself."""


class Patch(NamedTuple):
    """A flat polygon: outline (k, 3), colour (or Tone), and whether it shines by itself."""

    outline: Any
    color: Color
    shines: bool = False


@dataclass
class Part:
    """A convex piece: faces first, then what is drawn upon them.

    Attributes:
        patches: In painting order.
        layer: Parts of a lower layer are painted first, whatever their distance.
        center: (x, y, z) of the middle, from which all faces look away.
    """

    center: tuple[float, float, float]
    layer: int = 1
    patches: list[Patch] = field(default_factory=list)

    def add(self, outline: Any, color: Color, shines: bool = False) -> None:
        """Add a polygon (k, 3) that faces away from the centre."""
        self.patches.append(Patch(outline, color, shines))

    def add_side(self, profile: Any, z: float, color: Color, shines: bool = False) -> None:
        """Add a polygon of (x, y) points in the plane of a z, and its mirror image at -z."""
        for side in (z, -z):
            self.add([(x, y, side) for x, y in profile], color, shines)

    def add_end(
        self, x: float, y: tuple[float, float], z: tuple[float, float], color: Color,
        shines: bool = False, both: bool = False,
    ) -> None:  # fmt: skip
        """Add a rectangle across the body at an x; with ``both`` also its mirror image in z."""
        for left, right in [z, (-z[1], -z[0])] if both else [z]:
            corners = [(x, y[0], left), (x, y[0], right), (x, y[1], right), (x, y[1], left)]
            self.add(corners, color, shines)


def extrude(
    profile: Sequence[tuple[float, float]], half_width: Any, color: Color, layer: int = 1
) -> Part:
    """A side view (n, 2) of (x, y) points, drawn apart to both sides.

    Args:
        profile: The outline in either direction of turning.
        half_width: Half the width, one number or one a point.
        color: Of all faces.
        layer: See Part.
    """
    count = len(profile)
    half = [half_width] * count if isinstance(half_width, float | int) else list(half_width)
    x, y = [point[0] for point in profile], [point[1] for point in profile]
    part = Part(((min(x) + max(x)) / 2, (min(y) + max(y)) / 2, 0.0), layer)
    right = list(zip(x, y, half, strict=True))
    left = [(a, b, -c) for a, b, c in right]
    for i in range(count):
        j = (i + 1) % count
        part.add([left[i], left[j], right[j], right[i]], color)
    part.add(right, color)
    part.add(left, color)
    return part


def box(
    x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], color: Color,
    layer: int = 1,
) -> Part:  # fmt: skip
    """A block between two values of each coordinate."""
    corners = [(a, b, c) for a in x for b in y for c in z]
    part = Part((sum(x) / 2, sum(y) / 2, sum(z) / 2), layer)
    for face in _BOX_FACES:
        part.add([corners[i] for i in face], color)
    return part


class Body:
    """Parts in one list of polygons, ready to be placed in the world and painted.

    Where colours are tones, ``painted`` gives the body its paint.

    Args:
        parts: What it is made of.
        label: Label id.
        length: Extent (x0, x1) of its footprint.
        half_width: Half the footprint's width.
        height: Metres, for its shadow.
    """

    def __init__(
        self, parts: Iterable[Part], label: int, length: tuple[float, float], half_width: float,
        height: float,
    ) -> None:  # fmt: skip
        self.label, self.height = label, height
        self.footprint = np.array([[x, z] for x, z in _corners(length, half_width)])
        self.parts = sorted(parts, key=lambda part: part.layer)
        self.centers = np.array([part.center for part in self.parts])
        patches = [patch for part in self.parts for patch in part.patches]
        self.points = np.array([corner for patch in patches for corner in patch.outline], float)
        self.extent = (float(np.abs(self.points[:, 2]).max()), float(self.points[:, 1].max()) + 0.2)
        bounds = np.cumsum([0, *(len(patch.outline) for patch in patches)])
        self.bounds: list[int] = bounds.tolist()
        self.starts = bounds[:-1]
        tones = [patch.color if isinstance(patch.color, Tone) else None for patch in patches]
        self._shares = np.array([[tone.share if tone else 0.0] for tone in tones])
        own = [[t.plus] * 3 if t else p.color for t, p in zip(tones, patches, strict=True)]
        self.colors = np.array(own, float)
        centers = np.repeat(self.centers, [len(part.patches) for part in self.parts], axis=0)
        self.normals = _normals(self.points, bounds, centers)
        self.shines = np.array([patch.shines for patch in patches])
        self.part_stops = np.cumsum([len(part.patches) for part in self.parts]).tolist()

    def painted(self, paint: Any) -> Body:
        """The same in a paint (3,); all else is shared, so that a body can be used often."""
        other = copy.copy(self)
        other.colors = self.colors + self._shares * np.asarray(paint, float)
        return other

    def paint(self, stage: Stage, base: Points, heading: float, brightness: float = 1.0) -> None:
        """Paint it standing at a point.

        Args:
            stage: Canvas, camera and light.
            base: (3,) world point of its local origin.
            heading: Radians by which its x turns from Z (along the street) towards X.
            brightness: Factor for what stands in a shadow.
        """
        turn = rotation(heading)
        world = self.points @ turn.T + base
        pixels, depth = stage.camera.project(world)
        cut = bool(depth.min() < NEAR)
        if cut and (stage.canvas.trace is None or depth.max() < NEAR):
            return  # but in a clip nothing vanishes before it is passed
        normals = self.normals @ turn.T
        facing = ((stage.camera.position - world[self.starts]) * normals).sum(axis=1) > 0
        shaded = stage.light.shade(self.colors, normals) * brightness
        shaded[self.shines] = self.colors[self.shines]
        colors = stage.light.tint(shaded, float(np.median(depth)))
        fixed, values, seen = to_fixed(pixels), colors.tolist(), facing.tolist()
        for part in self._order(stage, base, turn):
            first = self.part_stops[part - 1] if part else 0
            for i in range(first, self.part_stops[part]):
                if seen[i]:
                    span = slice(self.bounds[i], self.bounds[i + 1])
                    stage.lie_on(world[span])
                    if cut:
                        rest = stage.camera.project_polygon(world[span])
                        stage.canvas.fill(rest, values[i], self.label)
                    else:
                        stage.canvas.fill_fixed(fixed[span], values[i], self.label)

    def _order(self, stage: Stage, base: Points, turn: Points) -> list[int]:
        """Indices of parts, by layer and then from far to near."""
        away = self.centers @ turn.T + base - stage.camera.position
        distance = (away**2).sum(axis=1)
        keys = [(part.layer, -d) for part, d in zip(self.parts, distance, strict=True)]
        return sorted(range(len(self.parts)), key=keys.__getitem__)


_BOX_FACES = ((0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5))


def _normals(points: Points, bounds: Any, centers: Points) -> Points:
    """Unit normals (n, 3) of polygons, by Newell's method, turned away from centres (n, 3)."""
    starts, stops = bounds[:-1], bounds[1:]
    following = np.arange(1, len(points) + 1)
    following[stops - 1] = starts
    (x, y, z), (u, v, w) = points.T, points[following].T
    cross = np.stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=1)
    normals = np.add.reduceat(cross, starts)
    normals /= np.maximum(np.sqrt((normals**2).sum(axis=1, keepdims=True)), 1e-12)
    middles = np.add.reduceat(points, starts) / (stops - starts)[:, None]
    inward = ((middles - centers) * normals).sum(axis=1) < 0
    normals[inward] *= -1
    return normals


def vector(x: float, y: float, z: float) -> Points:
    """A point or a displacement (3,)."""
    return np.array([x, y, z], float)


def rotation(heading: float) -> npt.NDArray[np.float64]:
    """(3, 3) from local x forward, y up, z right to the world: x to Z, z to X at heading 0."""
    sin, cos = np.sin(heading), np.cos(heading)
    return np.array([[sin, 0, cos], [0, 1, 0], [cos, 0, -sin]])


def _corners(length: tuple[float, float], half: float) -> list[tuple[float, float]]:
    return [(length[0], -half), (length[1], -half), (length[1], half), (length[0], half)]
