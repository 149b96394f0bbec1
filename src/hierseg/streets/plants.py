"""Trees, bushes and hedges: crowns of leaf clumps with ragged edges, lit from the sun's side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from hierseg.streets import surfaces
from hierseg.streets.camera import NEAR, Points
from hierseg.streets.crowns import GRID, KINDS, Crown, crown
from hierseg.streets.stage import Shadow, Stage

VEGETATION = 21

_TURNS = np.linspace(0, 2 * np.pi, 10, endpoint=False)
_CIRCLE = np.column_stack([np.cos(_TURNS), np.sin(_TURNS)])


@dataclass(frozen=True)
class Plant:
    """A plant that looks the same from all around.

    Attributes:
        base: (3,) world point of its foot.
        trunk: Height in metres at which the crown begins.
        size: Width and height of the crown in metres.
        crown: Its shape.
        turned: Whether left and right of the crown are exchanged.
        color: Of the leaves.
        bark: Of the trunk.
        ragged: How much leaves roughen the edge.
        offset: Offset in the texture of leaves.
        brightness: Less than 1 in a shadow.
        label: Label id of crown and trunk.
    """

    base: Points
    trunk: float
    size: tuple[float, float]
    crown: Crown
    turned: bool
    color: Points
    bark: Points
    ragged: float
    offset: tuple[float, float]
    brightness: float = 1.0
    label: int = VEGETATION

    @property
    def footprint(self) -> Points:
        """(10, 2) a small circle in X and Z."""
        radius = 0.2 if self.trunk > 0.6 else self.size[0] * 0.32
        return self.base[[0, 2]] + radius * _CIRCLE

    @property
    def height(self) -> float:
        """Metres."""
        return self.trunk + self.size[1]

    @property
    def extent(self) -> tuple[float, float]:
        """Metres by which it reaches beyond its outline, and its height above the road."""
        return self.size[0] / 2, self.trunk + self.size[1] + 0.2

    @property
    def wall(self) -> float:
        """Height in metres up to which it hides what is behind it."""
        return 0.0

    @property
    def shadow(self) -> Shadow | None:
        """The shadow of the crown."""
        circle = _CIRCLE * (self.size[0] * 0.42)
        low = self.trunk + 0.2 * self.size[1] if self.trunk else 0.0
        return Shadow(self.base[[0, 2]] + circle, low, self.height * 0.9)

    @property
    def shades(self) -> bool:
        """True: its shadow also falls on other things."""
        return True

    def shadowed(self, brightness: float) -> Plant:
        """A copy in another light; 1 is full light."""
        return replace(self, brightness=brightness)

    def paint(self, stage: Stage) -> None:
        """Paint it."""
        pixels, depth = stage.camera.project(self.base[None] + [[0, 0, 0], [0, self.trunk, 0]])
        if depth.min() < NEAR:
            return
        distance = float(depth[0])
        if stage.canvas.trace is not None:  # it looks the same from all around
            stage.canvas.trace.lie_on(self.base, stage.camera.forward)
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
        trunk = np.array(
            [[x0 - wide, y0], [x0 + wide, y0], [x1 + wide * 0.5, y1], [x1 - wide * 0.5, y1]]
        )
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
        flip = -1 if self.turned else 1
        begin = (x0 - left) * GRID / wide - 0.5
        matrix = np.array(
            [
                [flip * GRID / wide, 0, GRID - 1 - begin if self.turned else begin],
                [0, GRID / high, (y0 - top) * GRID / high - 0.5],
            ]
        )
        flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
        both: Any = cv2.warpAffine(
            cv2.merge([self.crown.inside, self._glow(stage)]), matrix, (x1 - x0, y1 - y0),
            flags=flags, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        per_metre = surfaces.TILE / surfaces.TILE_METRES
        start = (
            (x0 - left) / scale * per_metre + self.offset[0],
            (y0 - top) / scale * per_metre + self.offset[1],
        )
        leaves = surfaces.sample(surfaces.leaves(), (scale, scale), start, (y1 - y0, x1 - x0))
        inside, glow = cv2.split(both)
        rough = self.ragged / 128
        edge = cv2.addWeighted(inside, 1.0, leaves, rough, -self.ragged, dtype=cv2.CV_32F)
        mask = np.asarray(edge > 0.1).view(np.uint8)
        tone = cv2.addWeighted(glow, 255.0, leaves, 1.5, -191.0, dtype=cv2.CV_8U)
        picture = np.asarray(cv2.applyColorMap(tone, self._colors(stage, distance)), np.uint8)
        stage.canvas.stamp(picture, mask, y0, x0, self.label)

    def _glow(self, stage: Stage) -> Any:
        """(GRID, GRID) brightness of the crown by where it bulges, before leaves vary it."""
        sun = stage.camera.axes @ stage.light.sun
        right, up = (-sun[0] if self.turned else sun[0]), 0.6 + 0.4 * sun[1]
        height = np.linspace(0.1, -0.1, GRID, dtype=np.float32)[:, None]
        level = np.float32(0.42 - 0.1 * max(float(sun[2]), 0))
        bulge = self.crown.up * np.float32(0.22 * up) + self.crown.right * np.float32(0.22 * right)
        return bulge + height + level

    def _colors(self, stage: Stage, distance: float) -> Any:
        """(256, 1, 3) from the darkest to the brightest leaves."""
        light = stage.light
        steps = np.linspace(0, 1, 256)[:, None]
        dark = self.color * light.ambient * 0.34
        bright = self.color * (light.ambient * 0.95 + light.direct * 0.75) * (1.12, 1.1, 0.92)
        ramp = light.tint((dark + (bright - dark) * steps) * self.brightness, distance)
        return np.clip(ramp, 0, 255).astype(np.uint8)[:, None]


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
        trunk, size = 0.1 * height, (height * rng.uniform(0.34, 0.46), height * 0.9)
        color = color * (0.62, 0.72, 0.86)
    else:
        share = rng.uniform(0.2, 0.34)
        slim = rng.uniform(0.3, 0.42) if kind == "tall" else rng.uniform(0.62, 0.95)
        trunk, size = share * height, (height * slim, height * (1 - share))
    bark = np.array([98, 82, 66]) * rng.uniform(0.7, 1.2)
    shape = "fir" if kind == "fir" else "broad"
    ragged = 0.6 if kind == "fir" else 1.1
    tint = color * rng.uniform(0.92, 1.08)
    return _draw_plant(rng, base, (trunk, *size), shape, tint, bark, ragged)


def draw_bush(
    rng: np.random.Generator, base: Points, color: Points, size: tuple[float, float], clipped: bool
) -> Plant:
    """A bush of a width and height in metres; ``clipped`` as a piece of a hedge."""
    tint = color * rng.uniform(0.85, 1.02)
    shape, ragged = ("hedge", 0.35) if clipped else ("bush", 0.8)
    return _draw_plant(rng, base, (0.0, *size), shape, tint, tint * 0.5, ragged)


def _draw_plant(
    rng: np.random.Generator, base: Points, size: tuple[float, float, float], shape: str,
    color: Points, bark: Points, ragged: float,
) -> Plant:  # fmt: skip
    return Plant(
        base=base,
        trunk=size[0],
        size=(size[1], size[2]),
        crown=crown(shape, int(rng.integers(KINDS[shape]))),
        turned=bool(rng.random() < 0.5),
        color=color,
        bark=bark,
        ragged=ragged,
        offset=(float(rng.uniform(0, 512)), float(rng.uniform(0, 512))),
    )
