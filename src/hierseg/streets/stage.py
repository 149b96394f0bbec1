"""The stage that things are painted on, and the protocol of things that stand on the ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from hierseg.streets.camera import NEAR, Camera, Points
from hierseg.streets.canvas import Canvas, to_fixed
from hierseg.streets.light import Light


@dataclass(frozen=True)
class Stage:
    """A canvas with its camera and light."""

    canvas: Canvas
    camera: Camera
    light: Light

    def fill_faces(
        self, corners: Points, colors: Any, normals: Points, label: int, distance: float,
        brightness: float = 1.0,
    ) -> None:  # fmt: skip
        """Fill flat faces with k corners each, in their order; faces that look away are left out.

        Args:
            corners: (n, k, 3) world points.
            colors: (n, 3) or (3,) before light and haze.
            normals: (n, 3) or (3,) unit vectors out of the faces.
            label: Label id.
            distance: Metres, for the haze.
            brightness: Less than 1 in a shadow.
        """
        if not len(corners):
            return
        shaded = self.light.tint(self.light.shade(colors, normals) * brightness, distance)
        values = np.broadcast_to(shaded, (len(corners), 3)).tolist()
        facing: Points = ((self.camera.position - corners[:, 0]) * normals).sum(axis=1)
        local = self.camera.to_camera(corners)
        whole = local[..., 2].min(axis=1) >= NEAR
        fixed = to_fixed(self.camera.to_pixels(local))
        for i in np.flatnonzero(facing > 0):
            self.lie_on(corners[i])
            if whole[i]:
                self.canvas.fill_fixed(fixed[i], values[i], label)
            else:
                self.canvas.fill(self.camera.project_polygon(corners[i]), values[i], label)

    def lie_on(self, corners: Points) -> None:
        """Tell the trace that what is painted next lies in the plane of a world polygon (k, 3)."""
        if self.canvas.trace is not None:
            after = np.roll(corners, -1, axis=0)
            normal = np.cross(corners - corners[0], after - corners[0]).sum(axis=0)
            self.canvas.trace.lie_on(corners.mean(axis=0), normal)

    def distance(self, x: float, z: float) -> float:
        """Metres from the camera to a point on the ground."""
        return float(np.hypot(x - self.camera.position[0], z - self.camera.position[2]))

    def share_of_height(self, metres: float, distance: float) -> float:
        """Share of the picture's height that a length takes at a distance; decides on detail."""
        return metres * self.camera.pixels_per_metre(distance) / self.camera.height


class Shadow(NamedTuple):
    """What casts a shadow: an outline (k, 2) in X and Z that reaches between two heights."""

    outline: Points
    low: float
    high: float


class Item(Protocol):
    """Something that stands on the ground and hides what is behind it."""

    @property
    def footprint(self) -> Points:
        """(k, 2) corners in X and Z of a convex outline on the ground."""
        ...

    @property
    def extent(self) -> tuple[float, float]:
        """Metres by which it reaches beyond its outline, and its height above the road."""
        ...

    @property
    def wall(self) -> float:
        """Height in metres up to which it hides all that is behind it; 0 if it does not."""
        ...

    @property
    def shadow(self) -> Shadow | None:
        """The outline that casts its shadow; None for no shadow."""
        ...

    @property
    def shades(self) -> bool:
        """Whether its shadow also falls on other things, not on the ground alone."""
        ...

    def shadowed(self, brightness: float) -> Item:
        """A copy in another light; 1 is full light."""
        ...

    def paint(self, stage: Stage) -> None:
        """Paint it."""
        ...
