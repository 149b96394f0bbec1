"""What everything that is painted needs, and the things that stand on the ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from hierseg.data.streets.camera import Camera, Points
from hierseg.data.streets.canvas import Canvas
from hierseg.data.streets.light import Light


@dataclass(frozen=True)
class Stage:
    """A canvas, who looks at it, and in what light."""

    canvas: Canvas
    camera: Camera
    light: Light

    def distance(self, x: float, z: float) -> float:
        """Metres from the camera to a point on the ground."""
        return float(np.hypot(x - self.camera.position[0], z))

    def share_of_height(self, metres: float, distance: float) -> float:
        """How much of the picture's height a length takes at a distance; decides on detail."""
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
    def shadow(self) -> Shadow | None:
        """What of it casts a shadow."""
        ...

    @property
    def shades(self) -> bool:
        """Whether its shadow falls on other things, not on the ground alone."""
        ...

    def shadowed(self, brightness: float) -> Item:
        """The same in another light; 1 is full light."""
        ...

    def paint(self, stage: Stage) -> None:
        """Paint it."""
        ...
