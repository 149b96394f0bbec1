"""What stands along the edges of lots: fences, walls and guard rails, in panels of a few metres."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from hierseg.streets import surfaces
from hierseg.streets.camera import NEAR, Points
from hierseg.streets.canvas import Color, Pixels, to_fixed
from hierseg.streets.stage import Shadow, Stage

WALL, FENCE, GUARD_RAIL = 12, 13, 14

FENCES = ("railing", "picket", "boards", "mesh")
WALLS = ("brick", "blocks", "plaster")


@dataclass(frozen=True)
class Panel:
    """A piece of a barrier.

    Attributes:
        kind: One of FENCES or WALLS, or "guard".
        start: (3,) world point of its foot at one end.
        stop: (3,) world point of its foot at the other end.
        height: Metres.
        thickness: Metres.
        color: Colour of its material.
        brightness: Less than 1 in a shadow.
    """

    kind: str
    start: Points
    stop: Points
    height: float
    thickness: float
    color: Color
    brightness: float = 1.0

    @property
    def label(self) -> int:
        """Label id."""
        if self.kind == "guard":
            return GUARD_RAIL
        return WALL if self.kind in WALLS else FENCE

    @property
    def footprint(self) -> Points:
        """(4, 2) corners of its outline on the ground, in X and Z."""
        side = self._across() * self.thickness / 2
        corners = np.stack(
            [self.start - side, self.stop - side, self.stop + side, self.start + side]
        )
        return corners[:, [0, 2]]

    @property
    def extent(self) -> tuple[float, float]:
        """Metres by which it reaches beyond its outline, and its height above the road."""
        return 0.3, self.height + 0.4

    @property
    def wall(self) -> float:
        """Height in metres up to which it hides what is behind it."""
        return self.height if self.kind in WALLS else 0.0

    @property
    def shadow(self) -> Shadow | None:
        """The shadow of a wall; the shadow of a fence is too faint."""
        return Shadow(self.footprint, 0.0, self.height) if self.label == WALL else None

    @property
    def shades(self) -> bool:
        """False: its shadow falls on the ground alone."""
        return False

    def shadowed(self, brightness: float) -> Panel:
        """A copy in another light; 1 is full light."""
        return replace(self, brightness=brightness)

    def _across(self) -> Points:
        along = self.stop - self.start
        return np.array([along[2], 0.0, -along[0]]) / max(float(np.hypot(along[0], along[2])), 1e-9)

    def paint(self, stage: Stage) -> None:
        """Paint it."""
        normal = self._across()
        if (stage.camera.position - self.start) @ normal < 0:
            normal = -normal
        middle = (self.start + self.stop) / 2
        distance = stage.distance(middle[0], middle[2])
        shaded = stage.light.shade(self.color, normal) * self.brightness
        color = stage.light.tint(shaded, distance)
        if self.kind in WALLS:
            self._paint_wall(stage, normal, distance)
        elif self.kind == "guard":
            self._bars(stage, [(0, 1, 0.42, 0.74)], color)
            self._bars(stage, [(0, 1, 0.55, 0.6)], color * 0.75)
            self._bars(stage, [(0.46, 0.54, 0, 0.7)], color * 0.6)
        else:
            self._paint_fence(stage, color, distance)

    def _quad(self, share: Any, up: Any) -> Points:
        """World points at shares of the way and heights in metres."""
        s = np.asarray(share, float)[..., None]
        points = self.start + (self.stop - self.start) * s
        result: Points = points + np.asarray(up, float)[..., None] * np.array([0.0, 1.0, 0.0])
        return result

    def _bars(
        self, stage: Stage, bars: list[tuple[float, float, float, float]], color: Color
    ) -> None:
        """Rectangles in its plane: from share to share, from height to height; shaded already."""
        left, right, low, high = np.array(bars).T
        corners = self._quad(
            np.stack([left, right, right, left], axis=1), np.stack([low, low, high, high], axis=1)
        )
        local = stage.camera.to_camera(corners)
        whole = (local[..., 2] >= NEAR).all(axis=1)
        fixed = to_fixed(stage.camera.to_pixels(local))
        value = np.asarray(color).tolist()
        stage.lie_on(self._quad([0, 1, 1], [0, 0, 1]))
        for i in np.flatnonzero(whole):
            stage.canvas.fill_fixed(fixed[i], value, self.label)

    def _paint_fence(self, stage: Stage, color: Points, distance: float) -> None:
        h = self.height
        outline = self._quad([0, 1, 1, 0], [0.05, 0.05, h, h])
        pixels = stage.camera.project_polygon(outline)
        stage.lie_on(outline)
        length = float(np.linalg.norm(self.stop - self.start))
        if self.kind == "boards":
            stage.canvas.fill(pixels, color, self.label)
            gaps = np.arange(0.16, length, 0.16) / length
            if stage.share_of_height(0.16, distance) > 0.008:
                self._bars(
                    stage, [(g, g + 0.02 / length, 0.06, h - 0.02) for g in gaps], color * 0.72
                )
            self._bars(stage, [(0, 1, h - 0.08, h)], np.minimum(color * 1.1, 255))
            return
        opacity = {"railing": 0.22, "picket": 0.3, "mesh": 0.42}[self.kind]
        stage.canvas.veil(pixels, color, self.label, opacity)
        pitch, wide = {"railing": (0.16, 0.04), "picket": (0.19, 0.12), "mesh": (0.45, 0.02)}[
            self.kind
        ]
        if stage.share_of_height(pitch, distance) > 0.006:
            places = np.arange(pitch / 2, length, pitch) / length
            self._bars(stage, [(g, g + wide / length, 0.08, h) for g in places], color)
        rails = [(0, 1, 0.14, 0.2), (0, 1, h - 0.16, h - 0.08)]
        self._bars(stage, [*rails, (0, 0.08 / length, 0, h + 0.08)], color * 0.9)

    def _paint_wall(self, stage: Stage, normal: Points, distance: float) -> None:
        side = normal * self.thickness / 2
        local = stage.camera.to_camera(np.stack([self.start, self.stop]) + side)
        if local[:, 2].max() < NEAR:
            return
        face = self._quad([0, 1, 1, 0], [0, 0, self.height, self.height]) + side
        polygon = stage.camera.project_polygon(face)
        length = float(np.linalg.norm(self.stop - self.start))
        scale = min(
            stage.camera.pixels_per_metre(float(max(local[:, 2].min(), 2.0))),
            stage.camera.height / 14,
        )
        picture = _wall_picture(
            self.kind, np.asarray(self.color, float), (length, self.height), scale
        )
        picture = lit(stage, picture, normal, distance, self.brightness)
        along = (self.stop - self.start) / picture.shape[1]
        down = np.array([0.0, -self.height / picture.shape[0], 0.0])
        corner = self.start + side + (0, self.height, 0) + (along + down) / 2
        stage.lie_on(face)
        stage.canvas.paste(picture, stage.camera.plane(corner, along, down), polygon, WALL)
        self._paint_cap(stage, normal, distance)

    def _paint_cap(self, stage: Stage, normal: Points, distance: float) -> None:
        """The coping stones: their upper side and their edge."""
        light = stage.light
        out = normal * (self.thickness / 2 + 0.05)
        stone = np.minimum(np.asarray(self.color, float) * 0.55 + 84, 225)
        top = self._quad([0, 1, 1, 0], [self.height + 0.07] * 4) + np.stack([out, out, -out, -out])
        edge = self._quad([0, 1, 1, 0], [self.height - 0.03] * 2 + [self.height + 0.07] * 2) + out
        up = np.array([0.0, 1.0, 0.0])
        if stage.camera.position[1] > self.height + 0.07:
            color = light.tint(light.shade(stone, up) * self.brightness, distance)
            stage.lie_on(top)
            stage.canvas.fill(stage.camera.project_polygon(top), color, WALL)
        color = light.tint(light.shade(stone, normal) * self.brightness, distance)
        stage.lie_on(edge)
        stage.canvas.fill(stage.camera.project_polygon(edge), color, WALL)


def _wall_picture(kind: str, color: Points, size: tuple[float, float], scale: float) -> Pixels:
    """A wall of a length and height in metres at a number of pixels a metre."""
    shape = (max(2, round(size[1] * scale)), max(2, round(size[0] * scale)))
    textures = {"brick": surfaces.brick, "blocks": surfaces.blocks, "plaster": surfaces.plaster}
    grain = surfaces.sample(textures[kind](), (scale, scale), (0, 0), shape)
    return surfaces.colored(grain, color, min(1.0, scale / 12))


def lit(
    stage: Stage, picture: Pixels, normal: Points, distance: float, brightness: float = 1.0
) -> Pixels:
    """A picture (h, w, 3) of a surface as the light and the distance make it look."""
    share = float(stage.light.haze_share(distance))
    factors = stage.light.factors(normal) * brightness * (1 - share)
    matrix = np.column_stack([np.diag(factors), stage.light.haze * share])
    return np.asarray(cv2.transform(picture, matrix), np.uint8)
