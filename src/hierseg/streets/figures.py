"""Rounded things made of limbs: people, cycles, poles.

A limb is the hull of a few balls: an upper arm, a head, a trunk, a tube. Seen from anywhere its
outline is the hull of the balls' outlines. Local coordinates as for solid bodies: x forward, y up,
z right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import cv2
import numpy as np

from hierseg.streets.camera import NEAR, Points
from hierseg.streets.canvas import Color, to_fixed
from hierseg.streets.solids import rotation
from hierseg.streets.stage import Shadow, Stage

_ANGLES = np.linspace(0, 2 * np.pi, 10, endpoint=False) + 0.2
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=-1)
_UPRIGHT = np.array([0.0, 0.45, 0.0])
_ROUND_FROM = 0.05  # share of the picture's height from which limbs get a lit and a shaded side


class Limb(NamedTuple):
    """The hull of balls: centres (n, 3), radii (n,), colour, label id, whether it shines."""

    centers: Points
    radii: Points
    color: Color
    label: int
    shines: bool = False


class Wheel(NamedTuple):
    """A wheel that turns in its own x-y plane: centre (3,), radius, tyre's thickness, filling."""

    center: Points
    radius: float
    tyre: float
    color: Color
    label: int
    opacity: float


def limb(points: Any, radii: Any, color: Color, label: int, shines: bool = False) -> Limb:
    """A limb through points (n, 3) with one radius or one a point."""
    centers = np.asarray(points, float)
    sizes = np.broadcast_to(np.asarray(radii, float), (len(centers),))
    return Limb(centers, sizes, color, label, shines)


@dataclass(frozen=True)
class Figure:
    """Limbs and wheels that stand somewhere.

    Attributes:
        limbs: Painted from far to near.
        wheels: Painted before the limbs.
        base: (3,) world point of the local origin.
        heading: Radians from Z towards X.
        half: Half the length and half the width of its footprint.
        height: Metres, for its shadow.
        sorted_by_distance: Whether limbs are painted by distance, not in their order.
        reach: Metres by which it reaches beyond its footprint.
        brightness: Less than 1 in a shadow.
    """

    limbs: Sequence[Limb]
    wheels: Sequence[Wheel]
    base: Points
    heading: float
    half: tuple[float, float]
    height: float
    sorted_by_distance: bool = True
    reach: float = 0.6
    brightness: float = 1.0

    @property
    def footprint(self) -> Points:
        """(4, 2) corners of its outline on the ground, in X and Z."""
        long, wide = self.half
        flat = np.array([(-long, 0, -wide), (long, 0, -wide), (long, 0, wide), (-long, 0, wide)])
        return (flat @ rotation(self.heading).T + self.base)[:, [0, 2]]

    @property
    def extent(self) -> tuple[float, float]:
        """Metres by which it reaches beyond its outline, and its height above the road."""
        return self.reach, self.base[1] + self.height + 0.6

    @property
    def wall(self) -> float:
        """Height in metres up to which it hides what is behind it."""
        return 0.0

    @property
    def shadow(self) -> Shadow | None:
        """The shadow of an upright block."""
        return Shadow(self.footprint, 0.0, self.height)

    @property
    def shades(self) -> bool:
        """False: its shadow falls on the ground alone."""
        return False

    def shadowed(self, brightness: float) -> Figure:
        """A copy in another light; 1 is full light."""
        return replace(self, brightness=brightness)

    def paint(self, stage: Stage) -> None:
        """Paint it."""
        turn = rotation(self.heading)
        distance = stage.distance(self.base[0], self.base[2])
        for wheel in self.wheels:
            _paint_wheel(stage, wheel, turn, self.base, self.brightness)
        centers = np.concatenate([limb.centers for limb in self.limbs]) @ turn.T + self.base
        radii = np.concatenate([limb.radii for limb in self.limbs])
        pixels, depth = stage.camera.project(centers)
        if depth.min() < NEAR:
            return
        sizes = radii * stage.camera.focal / depth
        rounded = stage.share_of_height(max(self.height, 0.6), distance) > _ROUND_FROM
        stops = np.cumsum([len(limb.centers) for limb in self.limbs])
        order = np.arange(len(self.limbs))
        if self.sorted_by_distance:
            means = [
                depth[b - len(m.centers) : b].mean() for m, b in zip(self.limbs, stops, strict=True)
            ]
            order = np.argsort(means, kind="stable")[::-1]
        lit, dark = self._colors(stage, distance)
        outer = _circles(pixels, sizes)
        toward = stage.camera.axes[:2] @ stage.light.sun * (1.0, -1.0) + (0.0, -0.25)
        toward = toward / max(float(np.hypot(*toward)), 0.5)
        inner = _circles(pixels + toward * sizes[:, None] * 0.24, sizes * 0.76)
        for index in order.tolist():
            part = self.limbs[index]
            span = slice(stops[index] - len(part.centers), stops[index])
            if stage.canvas.trace is not None:
                stage.canvas.trace.lie_along(index, centers[span])
            split = rounded and not part.shines
            color = dark[index] if split else lit[index]
            stage.canvas.fill_fixed(_hull(outer[span]), color, part.label)
            if split:
                stage.canvas.fill_fixed(_hull(inner[span]), lit[index], part.label)

    def _colors(self, stage: Stage, distance: float) -> tuple[Any, Any]:
        """Colours of the lit and of the shaded side of every limb, as lists."""
        light, away = stage.light, -stage.camera.forward
        own = np.array([limb.color for limb in self.limbs], float)
        lit = light.shade(own, _unit(away + _UPRIGHT + 0.6 * light.sun)) * self.brightness
        dark = light.shade(own, _unit(away * 0.5 - light.sun)) * self.brightness
        dark = 0.68 * dark + 0.2 * lit
        shines = np.array([limb.shines for limb in self.limbs])
        lit[shines] = own[shines]
        return light.tint(lit, distance).tolist(), light.tint(dark, distance).tolist()


def _circles(pixels: Points, sizes: Points) -> Any:
    """(n, 10, 2) fixed-point outlines of circles at pixels (n, 2) with radii (n,) in pixels."""
    return to_fixed(pixels[:, None] + _CIRCLE * sizes[:, None, None])


def _hull(circles: Any) -> Any:
    return cv2.convexHull(circles.reshape(-1, 2))


def _unit(vector: Points) -> Points:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def _paint_wheel(stage: Stage, wheel: Wheel, turn: Points, base: Points, brightness: float) -> None:
    """The disc that the spokes fill, half transparent, and the tyre around it."""
    angles = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ring = wheel.center + wheel.radius * np.stack(
        [np.cos(angles), np.sin(angles), np.zeros_like(angles)], axis=-1
    )
    pixels, depth = stage.camera.project(ring @ turn.T + base)
    if depth.min() < NEAR:
        return
    distance = float(depth.mean())
    upright = _unit(_UPRIGHT - stage.camera.forward)
    spokes = stage.light.tint(stage.light.shade(wheel.color, upright) * brightness, distance)
    stage.lie_on(ring @ turn.T + base)
    stage.canvas.veil(pixels, spokes, wheel.label, wheel.opacity)
    tyre = stage.light.tint(stage.light.shade((30, 30, 32), upright) * brightness, distance)
    stage.canvas.stroke(
        pixels, tyre, wheel.label, wheel.tyre * stage.camera.pixels_per_metre(distance)
    )
