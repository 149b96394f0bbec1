"""Trees, bushes and hedges: crowns of leaf clumps with ragged edges, lit from the sun's side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from hierseg.data.streets import surfaces
from hierseg.data.streets.camera import NEAR, Points
from hierseg.data.streets.stage import Shadow, Stage

VEGETATION = 21

_GRID = 48  # rows and columns on which a crown's shape is computed before leaves roughen it


@dataclass(frozen=True)
class Plant:
    """A plant that looks the same from all around.

    Attributes:
        base: (3,) world point of its foot.
        trunk: Height in metres at which the crown begins.
        size: Width and height of the crown in metres.
        clumps: (n, 3) centre x and y in -1..1 and radius of the balls that the crown is made of.
        color: Of the leaves.
        bark: Of the trunk.
        ragged: How much leaves roughen the edge.
        offset: Which leaves.
        brightness: Less than 1 for what stands in a shadow.
        label: Label id of crown and trunk.
    """

    base: Points
    trunk: float
    size: tuple[float, float]
    clumps: Points
    color: Points
    bark: Points
    ragged: float
    offset: tuple[float, float]
    brightness: float = 1.0
    label: int = VEGETATION

    @property
    def footprint(self) -> Points:
        """(8, 2) a small circle in X and Z."""
        radius = 0.2 if self.trunk > 0.6 else self.size[0] * 0.32
        angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)
        return self.base[[0, 2]] + radius * np.column_stack([np.cos(angles), np.sin(angles)])

    @property
    def height(self) -> float:
        """Metres."""
        return self.trunk + self.size[1]

    @property
    def shadow(self) -> Shadow | None:
        """Of the crown."""
        angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        circle = np.column_stack([np.cos(angles), np.sin(angles)]) * self.size[0] * 0.42
        low = self.trunk + 0.2 * self.size[1] if self.trunk else 0.0
        return Shadow(self.base[[0, 2]] + circle, low, self.height * 0.9)

    @property
    def shades(self) -> bool:
        """Yes."""
        return True

    def shadowed(self, brightness: float) -> Plant:
        """The same in another light."""
        return replace(self, brightness=brightness)

    def paint(self, stage: Stage) -> None:
        """Paint it."""
        pixels, depth = stage.camera.project(self.base[None] + [[0, 0, 0], [0, self.trunk, 0]])
        if depth.min() < NEAR:
            return
        distance = float(depth[0])
        scale = stage.camera.pixels_per_metre(distance)
        if self.trunk > 0.3:
            self._paint_trunk(stage, pixels, scale, distance)
        self._paint_crown(stage, pixels[1], scale, distance)

    def _paint_trunk(self, stage: Stage, pixels: Points, scale: float, distance: float) -> None:
        wide = scale * (0.09 + 0.022 * self.height)
        (x0, y0), (x1, y1) = pixels
        y1 -= self.size[1] * 0.35 * scale
        light = stage.light
        flat = np.array([0.0, 0.3, 0.0]) - stage.camera.forward
        bark = light.shade(self.bark, flat / np.linalg.norm(flat)) * self.brightness
        side = 1 if stage.camera.axes[0] @ light.sun > 0 else -1
        trunk = np.array([[x0 - wide, y0], [x0 + wide, y0], [x1 + wide * 0.5, y1], [x1 - wide * 0.5, y1]])
        stage.canvas.fill(trunk, light.tint(bark * 0.7, distance), self.label)
        lit = np.array([[x0 + side * wide, y0], [x0, y0], [x1, y1], [x1 + side * wide * 0.5, y1]])
        stage.canvas.fill(lit, light.tint(bark, distance), self.label)

    def _paint_crown(self, stage: Stage, foot: Points, scale: float, distance: float) -> None:
        wide, high = self.size[0] * scale, self.size[1] * scale
        left, top = foot[0] - wide / 2, foot[1] - high
        height, width = stage.canvas.pixels.shape[:2]
        x0, x1 = max(0, int(left)), min(width, int(np.ceil(left + wide)))
        y0, y1 = max(0, int(top)), min(height, int(np.ceil(top + high)))
        if x1 - x0 < 1 or y1 - y0 < 1:
            return
        field, glow = self._shape(stage)
        matrix = np.array(
            [[_GRID / wide, 0, (x0 - left) * _GRID / wide - 0.5], [0, _GRID / high, (y0 - top) * _GRID / high - 0.5]]
        )
        flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
        both: Any = cv2.warpAffine(
            np.dstack([field, glow]), matrix, (x1 - x0, y1 - y0), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        per_metre = surfaces.TILE / surfaces.TILE_METRES
        start = ((x0 - left) / scale * per_metre + self.offset[0], (y0 - top) / scale * per_metre + self.offset[1])
        leaves = surfaces.sample(surfaces.leaves(), scale / per_metre, start, (y1 - y0, x1 - x0))
        rough = leaves.astype(np.float32) * (1 / 128) - 1
        mask = (both[..., 0] + self.ragged * rough > 0.1).view(np.uint8)
        tone = np.clip(both[..., 1] + 0.75 * rough, 0, 1)
        picture = self._colors(stage, distance)[(tone * 63).astype(np.uint8)]
        stage.canvas.stamp(picture, mask, y0, x0, self.label)

    def _shape(self, stage: Stage) -> tuple[Any, Any]:
        """(GRID, GRID) how far inside the crown, above 0 inside, and brightness by where it bulges."""
        axis = np.linspace(-1, 1, _GRID, dtype=np.float32)
        x, y = axis[None, :, None], -axis[:, None, None]
        dx = (x - self.clumps[:, 0]) / self.clumps[:, 2]
        dy = (y - self.clumps[:, 1]) / self.clumps[:, 2]
        inside = 1 - dx**2 - dy**2
        sun = stage.camera.axes @ stage.light.sun
        bulge = 0.42 + 0.22 * (dy * (0.6 + 0.4 * sun[1]) + dx * sun[0]) - 0.1 * max(float(sun[2]), 0)
        weight = np.exp(3.5 * inside)
        glow = (weight * bulge).sum(axis=2) / weight.sum(axis=2) + 0.1 * y[..., 0]
        return inside.max(axis=2).astype(np.float32), glow.astype(np.float32)

    def _colors(self, stage: Stage, distance: float) -> Any:
        """(64, 3) from the darkest to the brightest leaves."""
        light = stage.light
        steps = np.linspace(0, 1, 64)[:, None]
        dark = self.color * light.ambient * 0.34
        bright = self.color * (light.ambient * 0.95 + light.direct * 0.75) * (1.12, 1.1, 0.92)
        ramp = (dark + (bright - dark) * steps) * self.brightness
        return np.clip(light.tint(ramp, distance), 0, 255).astype(np.uint8)


def draw_leaf_color(rng: np.random.Generator) -> Points:
    """A green; now and then an autumn colour."""
    if rng.random() < 0.1:
        return np.array([rng.uniform(170, 205), rng.uniform(110, 150), rng.uniform(40, 60)])
    green = rng.uniform(108, 152)
    return np.array([green * rng.uniform(0.58, 0.92), green, green * rng.uniform(0.34, 0.56)])


def draw_tree(
    rng: np.random.Generator, base: Points, color: Points, kind: str, height: float
) -> Plant:
    """A tree of a kind (broad, tall or fir) and a height in metres."""
    if kind == "fir":
        up = np.linspace(-0.85, 0.9, 9)
        clumps = np.column_stack([rng.normal(0, 0.04, 9), up, 0.62 * (1.0 - up) / 1.85 + 0.12])
        trunk, crown = 0.1 * height, (height * rng.uniform(0.34, 0.46), height * 0.9)
        color = color * (0.62, 0.72, 0.86)
    else:
        count = int(rng.integers(9, 16))
        angle, away = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count))
        clumps = np.column_stack(
            [0.62 * away * np.cos(angle), 0.6 * away * np.sin(angle), rng.uniform(0.3, 0.46, count)]
        )
        clumps[0] = (0, 0, 0.62)
        share = rng.uniform(0.2, 0.34)
        slim = rng.uniform(0.3, 0.42) if kind == "tall" else rng.uniform(0.62, 0.95)
        trunk, crown = share * height, (height * slim, height * (1 - share))
    bark = np.array([98, 82, 66]) * rng.uniform(0.7, 1.2)
    offset = (float(rng.uniform(0, 512)), float(rng.uniform(0, 512)))
    return Plant(base, trunk, crown, clumps, color * rng.uniform(0.92, 1.08), bark, 1.1, offset)


def draw_bush(
    rng: np.random.Generator, base: Points, color: Points, size: tuple[float, float], clipped: bool
) -> Plant:
    """A bush of a width and height in metres; ``clipped`` as a piece of a hedge."""
    if clipped:
        x, y = np.meshgrid(np.linspace(-0.7, 0.7, 4), np.linspace(-0.8, 0.62, 3))
        clumps = np.column_stack([x.ravel(), y.ravel(), np.full(x.size, 0.46)])
    else:
        count = int(rng.integers(5, 9))
        clumps = np.column_stack(
            [rng.uniform(-0.6, 0.6, count), rng.uniform(-0.7, 0.35, count), rng.uniform(0.36, 0.56, count)]
        )
    offset = (float(rng.uniform(0, 512)), float(rng.uniform(0, 512)))
    tint = color * rng.uniform(0.85, 1.02)
    return Plant(base, 0.0, size, clumps, tint, tint * 0.5, 0.35 if clipped else 0.8, offset)
