"""A pin-hole camera over the ground plane.

World coordinates in metres: X right, Y up, Z along the street as it begins; a single picture is
taken at Z = 0. Pixels are continuous indices of a canvas: the centre of pixel i lies at i.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]

NEAR = 0.5
"""Metres before the camera where the picture begins; what is nearer is cut off."""

_DOWNWARDS = np.array([1.0, -1.0])


@dataclass(frozen=True)
class View:
    """How the camera stands and looks, without regard to the size of the picture.

    Attributes:
        height: Metres above the road.
        lateral: Metres right of the street's centre line.
        yaw: Radians to the right.
        pitch: Radians upwards.
        roll: Radians clockwise.
        zoom: Focal length over the width (or over 1.5 times the height, where that is more).
        horizon: Where a level line of sight meets the picture, as a fraction of its height.
        ahead: Metres along Z.
    """

    height: float
    lateral: float
    yaw: float
    pitch: float
    roll: float
    zoom: float
    horizon: float
    ahead: float = 0.0


class Camera:
    """A view on a canvas of a given size.

    Args:
        view: Where it stands and looks.
        height: Canvas height in pixels.
        width: Canvas width in pixels.
    """

    def __init__(self, view: View, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.focal = view.zoom * max(width, 1.5 * height)
        self.center = np.array([width / 2 - 0.5, height * view.horizon - 0.5])
        self.position = np.array([view.lateral, view.height, view.ahead])
        self.axes = _axes(view.yaw, view.pitch, view.roll)
        self.forward = self.axes[2]
        flat = self.forward[[0, 2]]
        self.heading = flat / np.hypot(*flat)

    def to_camera(self, points: Points) -> Points:
        """World points (..., 3) to (right, up, depth) in metres from the camera."""
        local: Points = (points - self.position) @ self.axes.T
        return local

    def to_pixels(self, local: Points) -> Points:
        """Camera points (..., 3) of positive depth to pixels (..., 2)."""
        scale = self.focal / np.maximum(local[..., 2:], 0.1 * NEAR)
        pixels: Points = self.center + local[..., :2] * scale * _DOWNWARDS
        return pixels

    def project(self, points: Points) -> tuple[Points, Points]:
        """World points (N, 3) to pixels (N, 2) and depths (N,) in metres."""
        local = self.to_camera(points)
        return self.to_pixels(local), local[:, 2]

    def project_polygon(self, corners: Points) -> Points:
        """A world polygon (k, 3) to pixels (m, 2), cut at the near plane; m may be 0."""
        local = self.to_camera(corners)
        inside = local[:, 2] >= NEAR
        if inside.all():
            return self.to_pixels(local)
        if not inside.any():
            return np.zeros((0, 2))
        return self.to_pixels(_cut_near(local, inside))

    def plane(self, origin: Points, along: Points, across: Points) -> Points:
        """The homography (3, 3) from (a, b, 1) to pixels of origin + a * along + b * across."""
        start = self.to_camera(origin)
        local = np.stack([self.axes @ along, self.axes @ across, start], axis=1)
        optics = np.array(
            [[self.focal, 0, self.center[0]], [0, -self.focal, self.center[1]], [0, 0, 1.0]]
        )
        result: Points = optics @ local
        return result

    def pixels_per_metre(self, distance: float) -> float:
        """Size in pixels of a metre across the line of sight at a distance in metres."""
        return self.focal / max(distance, NEAR)

    def ground_distance(self, rows: npt.NDArray[Any]) -> Points:
        """Depth in metres at which canvas rows see the road in mid-picture; inf above it."""
        slope = (self.center[1] - rows) / self.focal  # up over forward, in the camera's frame
        rise = slope * self.axes[1][1] + self.axes[2][1]
        return np.where(rise < -1e-6, self.position[1] / np.maximum(-rise, 1e-6), np.inf)


def _axes(yaw: float, pitch: float, roll: float) -> Points:
    """Rows right, up, forward of a camera turned right, then up, then clockwise."""
    forward = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    right = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
    up = np.cross(forward, right)
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    right, up = turn @ np.stack([right, up])
    return np.stack([right, up, forward])


def _cut_near(local: Points, inside: npt.NDArray[np.bool_]) -> Points:
    """The part of a polygon in camera coordinates (k, 3) that lies beyond the near plane."""
    kept: list[Points] = []
    for i in range(len(local)):
        before, here = local[i - 1], local[i]
        if inside[i] != inside[i - 1]:
            share = (NEAR - before[2]) / (here[2] - before[2])
            kept.append(before + share * (here - before))
        if inside[i]:
            kept.append(here)
    return np.array(kept)
