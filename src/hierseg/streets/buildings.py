"""Buildings: blocks with a front on the street, walls at the ends, and a roof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hierseg.streets.barriers import lit
from hierseg.streets.camera import NEAR, Points
from hierseg.streets.canvas import Color
from hierseg.streets.facades import draw_facade_picture
from hierseg.streets.stage import Shadow, Stage
from hierseg.streets.windows import Facade

BUILDING = 11

_DETAIL = 30.0  # pixels a metre of a front's picture at most, for a canvas of 512 rows


@dataclass(frozen=True)
class Building:
    """A building on four corners.

    Attributes:
        corners: (4, 3) world points of its foot: near and far end of the front, then far and near
            end of the back.
        front: The face between the first two.
        end: The face at the near end.
        roof: flat, gable or mansard.
        rise: Height of the roof in metres.
        tiles: Colour of the roof.
        chimneys: Places along the ridge, 0..1.
        balconies: (n, 3) share of the front's width, height in metres, width in metres.
    """

    corners: Points
    front: Facade
    end: Facade
    roof: str
    rise: float
    tiles: Color
    chimneys: tuple[float, ...]
    balconies: Points

    @property
    def footprint(self) -> Points:
        """(4, 2) corners of its outline on the ground, in X and Z."""
        return self.corners[:, [0, 2]]

    @property
    def extent(self) -> tuple[float, float]:
        """Metres by which it reaches beyond its outline, and its height above the road."""
        return 1.5, self.front.height + self.rise + 1.5

    @property
    def wall(self) -> float:
        """Height in metres up to which it hides what is behind it."""
        return self.front.height - 0.2

    @property
    def shadow(self) -> Shadow | None:
        """The shadow of walls and roof."""
        return Shadow(self.footprint, 0.0, self.front.height + 0.6 * self.rise)

    @property
    def shades(self) -> bool:
        """True: its shadow also falls on other things."""
        return True

    def shadowed(self, brightness: float) -> Building:
        """The building itself: shadows of other things do not darken its walls."""
        return self

    def paint(self, stage: Stage) -> None:
        """Paint it."""
        near_front, far_front, far_back, near_back = self.corners
        outward = near_front - near_back
        self._paint_roof(stage)
        for start, stop, facade in (
            (far_back, far_front, self.end),
            (near_back, near_front, self.end),
            (near_front, far_front, self.front),
        ):  # fmt: skip
            side = start - (far_front + near_back) / 2 if facade is self.end else outward
            self._paint_face(stage, start, stop, facade, side)
        self._paint_balconies(stage, outward)

    def _paint_face(
        self, stage: Stage, start: Points, stop: Points, facade: Facade, side: Points
    ) -> None:
        """One wall, if it looks towards the camera; ``side`` is a direction out of it."""
        along = stop - start
        normal = np.array([along[2], 0.0, -along[0]]) / np.linalg.norm(along)
        if normal @ side < 0:
            normal = -normal
        if (stage.camera.position - start) @ normal <= 0.02:
            return
        up = np.array([0.0, facade.height, 0.0])
        polygon = stage.camera.project_polygon(np.stack([start, stop, stop + up, start + up]))
        if len(polygon) < 3 or not _on_canvas(polygon, stage):
            return
        depths = stage.camera.to_camera(np.stack([start, stop]))[:, 2]
        nearest, distance = max(float(depths.min()), 3.0), max(float(depths.mean()), NEAR)
        most = _DETAIL * stage.camera.height / 512
        down = float(np.clip(0.6 * stage.camera.pixels_per_metre(nearest), 3.0, most))
        across = float(np.ptp(polygon[:, 0])) / facade.width  # foreshortened: fewer columns do
        scale = (float(np.clip(1.3 * across, 1.5, down)), down)
        picture = lit(stage, draw_facade_picture(facade, scale), normal, distance)
        rows, columns = picture.shape[:2]
        right, below = along / columns, -up / rows
        plane = stage.camera.plane(start + up + (right + below) / 2, right, below)
        stage.lie_on(np.stack([start, stop, stop + up]))
        stage.canvas.paste(picture, plane, polygon, BUILDING)

    def _fill(self, stage: Stage, corners: Points, color: Any, normal: Points) -> None:
        """Plain faces (n, k, 3) of one colour and normal, or of n."""
        middle = corners.mean(axis=(0, 1))
        distance = stage.distance(middle[0], middle[2])
        stage.fill_faces(corners, color, normal, BUILDING, distance)

    def _paint_roof(self, stage: Stage) -> None:
        if self.roof == "flat":
            return
        up = np.array([0.0, 1.0, 0.0])
        eave = up * (self.front.height - 0.1)
        near_front, far_front, far_back, near_back = self.corners + eave
        share = 0.5 if self.roof == "gable" else 0.16
        out = near_front - near_back
        overhang = out / np.linalg.norm(out) * 0.35 - up * 0.15
        ridge_near = near_front + (near_back - near_front) * share + up * self.rise
        ridge_far = far_front + (far_back - far_front) * share + up * self.rise
        slope = np.stack([near_front + overhang, far_front + overhang, ridge_far, ridge_near])
        normal = np.cross(slope[1] - slope[0], slope[3] - slope[0])
        normal = normal / np.linalg.norm(normal) * np.sign(normal[1])
        if self.roof == "gable":
            end = (near_front - far_front) / np.linalg.norm(near_front - far_front)
            self._fill(
                stage, np.stack([near_front, near_back, ridge_near])[None], self.end.wall, end
            )
        self._paint_chimneys(stage, ridge_near, ridge_far)
        self._fill(stage, slope[None], self.tiles, normal)
        self._paint_courses(stage, slope, normal)

    def _paint_courses(self, stage: Stage, slope: Points, normal: Points) -> None:
        """Rows of tiles, and skylights or dormers."""
        middle = slope.mean(axis=0)
        if stage.share_of_height(0.3, stage.distance(middle[0], middle[2])) < 0.004:
            return
        low_near, low_far, high_far, high_near = slope
        share = np.arange(0.08, 1, 0.11)[:, None]
        near, far = (
            low_near + (high_near - low_near) * share,
            low_far + (high_far - low_far) * share,
        )
        lift = (high_near - low_near) * 0.025
        rows = np.stack([near, far, far + lift, near + lift], axis=1)
        self._fill(stage, rows, np.asarray(self.tiles) * 0.82, normal)
        count = max(1, round(float(np.linalg.norm(low_far - low_near)) / 5))
        place = (np.arange(count)[:, None] + 0.35) / count
        foot = low_near + (low_far - low_near) * place + (high_near - low_near) * 0.3
        along, rise = (low_far - low_near) * (0.22 / count), (high_near - low_near) * 0.32
        windows = np.stack([foot, foot + along, foot + along + rise, foot + rise], axis=1)
        self._fill(stage, windows, (72, 84, 98), normal)

    def _paint_chimneys(self, stage: Stage, ridge_near: Points, ridge_far: Points) -> None:
        along = (ridge_far - ridge_near) / np.linalg.norm(ridge_far - ridge_near)
        across = np.array([along[2], 0.0, -along[0]])
        up = np.array([0.0, 1.4, 0.0])
        sides = np.array([(-0.4, -0.35), (0.4, -0.35), (0.4, 0.35), (-0.4, 0.35)])
        around = sides[:, :1] * along + sides[:, 1:] * across
        after = np.roll(around, -1, axis=0)
        normals = (around + after) / np.linalg.norm(around + after, axis=1, keepdims=True)
        walls = np.stack([around, after, after + up, around + up], axis=1)
        for share in self.chimneys:
            foot = ridge_near + (ridge_far - ridge_near) * share - up * 0.25
            self._fill(stage, walls + foot, (140, 84, 66), normals)

    def _paint_balconies(self, stage: Stage, outward: Points) -> None:
        """Boxes before the front, from far to near."""
        if not len(self.balconies):
            return
        near, far = self.corners[:2]
        along = (far - near) / np.linalg.norm(far - near)
        out = outward / np.linalg.norm(outward)
        color = self.front.trim * 0.92
        share, height, width = self.balconies[np.lexsort(self.balconies.T[::-1])[::-1]].T[..., None]
        foot = near + (far - near) * share + height * np.array([0, 1.0, 0])
        left, right = foot - along * width / 2, foot + along * width / 2
        deep, rail, slab = out * 1.15, np.array([0, 1.0, 0]), np.array([0, 0.18, 0])
        faces = [
            (left, right, right + deep, left + deep),
            (left, left + deep, left + deep + rail, left + rail),
            (left + deep, right + deep, right + deep + rail, left + deep + rail),
            (left + deep, right + deep, right + deep + slab, left + deep + slab),
        ]
        corners = np.stack([np.stack(face, axis=1) for face in faces], axis=1).reshape(-1, 4, 3)
        tones = np.outer([0.5, 0.9, 1.0, 0.7], color)
        normals = np.stack([np.array([0, -1.0, 0]), -along, out, out])
        count = len(self.balconies)
        self._fill(stage, corners, np.tile(tones, (count, 1)), np.tile(normals, (count, 1)))


def _on_canvas(polygon: Points, stage: Stage) -> bool:
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    height, width = stage.canvas.pixels.shape[:2]
    return bool(high[0] >= 0 and high[1] >= 0 and low[0] < width and low[1] < height)
