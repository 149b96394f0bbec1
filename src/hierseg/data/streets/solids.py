"""Solid bodies of flat faces: how vehicles, boxes, roofs and signs are built and painted.

Local coordinates in metres: x forward, y up, z to the right. A body is a list of parts; every part is
convex, so its faces need no order among themselves: those turned away are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hierseg.data.streets.camera import NEAR, Points
from hierseg.data.streets.canvas import Color, to_fixed
from hierseg.data.streets.stage import Stage


class Patch(NamedTuple):
    """A flat polygon: outline (k, 3), colour, unit normal (3,), and whether it shines by itself."""

    outline: Points
    color: Color
    normal: Points
    shines: bool = False


@dataclass
class Part:
    """A convex piece: faces first, then what is drawn upon them.

    Attributes:
        patches: In painting order.
        layer: Parts of a lower layer are painted first, whatever their distance.
        center: (3,) the middle, from which all faces look away.
    """

    center: Points
    layer: int = 1
    patches: list[Patch] = field(default_factory=list)

    def add(self, outline: Any, color: Color, shines: bool = False) -> None:
        """Add a polygon (k, 3) that faces away from the centre."""
        corners = np.asarray(outline, float)
        following = np.roll(corners, -1, axis=0)
        normal = np.cross(corners, following).sum(axis=0)  # Newell's method
        normal = normal / max(float(np.linalg.norm(normal)), 1e-12)
        if normal @ (corners.mean(axis=0) - self.center) < 0:
            normal = -normal
        self.patches.append(Patch(corners, color, normal, shines))

    def add_side(self, profile: Any, z: float, color: Color, shines: bool = False) -> None:
        """Add a polygon of (x, y) points in the plane of a z, and its mirror image at -z."""
        corners = np.asarray(profile, float)
        for side in (z, -z):
            self.add(np.insert(corners, 2, side, axis=1), color, shines)

    def add_end(
        self, x: float, y: tuple[float, float], z: tuple[float, float], color: Color,
        shines: bool = False, both: bool = False,
    ) -> None:  # fmt: skip
        """Add a rectangle across the body at an x; with ``both`` also its mirror image in z."""
        for left, right in [z, (-z[1], -z[0])] if both else [z]:
            corners = [(x, y[0], left), (x, y[0], right), (x, y[1], right), (x, y[1], left)]
            self.add(corners, color, shines)


def extrude(
    profile: Any, half_width: Any, color: Color, layer: int = 1, ends: Sequence[Color] | None = None
) -> Part:
    """A side view (n, 2) of (x, y) points, drawn apart to both sides.

    Args:
        profile: The outline in either direction of turning.
        half_width: Half the width, one number or one a point.
        color: Of all faces.
        layer: See Part.
        ends: Instead, a colour for the face that follows each point; None where there is none.
    """
    points = np.asarray(profile, float)
    half = np.broadcast_to(np.asarray(half_width, float), (len(points),))
    center = np.array([*(points.min(axis=0) + points.max(axis=0)) / 2, 0.0])
    part = Part(center, layer)
    right = np.column_stack([points, half])
    left = np.column_stack([points, -half])
    for i in range(len(points)):
        j = (i + 1) % len(points)
        part.add([left[i], left[j], right[j], right[i]], color if ends is None else ends[i])
    part.add(right, color)
    part.add(left, color)
    return part


def box(
    x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], color: Color,
    layer: int = 1,
) -> Part:  # fmt: skip
    """A block between two values of each coordinate."""
    corners = np.array([[a, b, c] for a in x for b in y for c in z])
    part = Part(corners.mean(axis=0), layer)
    for face in ((0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5)):
        part.add(corners[list(face)], color)
    return part


class Body:
    """Parts in one list of polygons, ready to be placed in the world and painted.

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
        self.points = np.concatenate([patch.outline for patch in patches])
        self.stops = np.cumsum([len(patch.outline) for patch in patches]).tolist()
        self.colors = np.array([patch.color for patch in patches], float)
        self.normals = np.array([patch.normal for patch in patches])
        self.shines = np.array([patch.shines for patch in patches])
        self.part_stops = np.cumsum([len(part.patches) for part in self.parts]).tolist()

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
        if depth.min() < NEAR:
            return
        starts = np.array([0, *self.stops[:-1]])
        normals = self.normals @ turn.T
        facing = ((stage.camera.position - world[starts]) * normals).sum(axis=1) > 0
        shaded = stage.light.shade(self.colors, normals) * brightness
        shaded[self.shines] = self.colors[self.shines]
        colors = stage.light.tint(shaded, float(np.median(depth)))
        fixed = to_fixed(pixels)
        stage_fill = stage.canvas.fill_fixed
        for part in self._order(stage, base, turn):
            first = self.part_stops[part - 1] if part else 0
            for i in range(first, self.part_stops[part]):
                if facing[i]:
                    stage_fill(fixed[starts[i] : self.stops[i]], colors[i], self.label)

    def _order(self, stage: Stage, base: Points, turn: Points) -> list[int]:
        """Indices of parts, by layer and then from far to near."""
        away = self.centers @ turn.T + base - stage.camera.position
        distance = (away**2).sum(axis=1)
        keys = [(part.layer, -d) for part, d in zip(self.parts, distance, strict=True)]
        return sorted(range(len(self.parts)), key=keys.__getitem__)


def rotation(heading: float) -> npt.NDArray[np.float64]:
    """(3, 3) from local x forward, y up, z right to the world: x to Z, z to X at heading 0."""
    sin, cos = np.sin(heading), np.cos(heading)
    return np.array([[sin, 0, cos], [0, 1, 0], [cos, 0, -sin]])


def _corners(length: tuple[float, float], half: float) -> list[tuple[float, float]]:
    return [(length[0], -half), (length[1], -half), (length[1], half), (length[0], half)]
