"""All that lies flat: road, markings, tracks, pavement, grass, and the shadows upon them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.data.streets import surfaces
from hierseg.data.streets.camera import Camera, Points
from hierseg.data.streets.canvas import Canvas, Color, Pixels, to_fixed
from hierseg.data.streets.light import Light
from hierseg.data.streets.stage import Item, Stage

ROAD, SIDEWALK, PARKING, RAIL_TRACK, TERRAIN, GROUND = 7, 8, 9, 10, 22, 6

_UP = np.array([0.0, 1.0, 0.0])


def fill_ground(stage: Stage, polygon: Points, color: Color, label: int, facing: Points = _UP) -> None:
    """Fill a world polygon (k, 3) in a colour as the light makes it look; haze comes later."""
    pixels = stage.camera.project_polygon(polygon)
    stage.canvas.fill(pixels, stage.light.shade(color, facing), label)


def below_horizon(camera: Camera) -> int:
    """The first canvas row in which the ground is surely seen over the picture's whole width."""
    rows = np.arange(camera.height, dtype=float)
    tilt = abs(camera.axes[0][1]) * camera.width / 2 + 2
    seen = np.flatnonzero(np.isfinite(camera.ground_distance(rows - tilt)))
    return int(seen[0]) if len(seen) else camera.height


def paint_grain(stage: Stage, offset: tuple[float, float], cobbled: bool) -> None:
    """Vary the brightness of what lies flat by the texture of its kind; finer far away."""
    canvas, camera = stage.canvas, stage.camera
    top = below_horizon(camera)
    region = canvas.pixels[top:]
    if not len(region):
        return
    labels = region[..., 3]
    fade = np.clip(16 / camera.ground_distance(np.arange(top, camera.height)), 0, 1)
    factor = np.full(labels.shape, 128, np.uint8)
    kinds = [
        ((ROAD, PARKING), surfaces.cobbles() if cobbled else surfaces.asphalt()),
        ((SIDEWALK, GROUND), surfaces.paving()),
        ((TERRAIN, RAIL_TRACK), surfaces.grass()),
    ]
    for ids, texture in kinds:
        mask = np.isin(labels, ids).view(np.uint8)
        if mask.any():
            cv2.copyTo(_laid_out(texture, camera, top, offset), mask, factor)
    faded = 128 + (factor.astype(np.float32) - 128) * fade[:, None].astype(np.float32)
    _multiply(region, faded.astype(np.uint8))


def _laid_out(texture: Pixels, camera: Camera, top: int, offset: tuple[float, float]) -> Pixels:
    """A texture on the ground plane, as rows from ``top`` on see it."""
    metres = surfaces.TILE_METRES / surfaces.TILE
    corner = np.array([offset[0] * surfaces.TILE_METRES, 0, offset[1] * surfaces.TILE_METRES])
    plane = camera.plane(corner, np.array([metres, 0, 0]), np.array([0, 0, metres]))
    move = np.array([[1, 0, 0], [0, 1, -top], [0, 0, 1.0]])
    laid: Any = cv2.warpPerspective(
        texture, move @ plane, (camera.width, camera.height - top), flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )  # fmt: skip
    return np.asarray(laid, np.uint8)


def _multiply(region: Pixels, factor: npt.NDArray[np.uint8]) -> None:
    """Scale colours in place by factor / 128, labels untouched."""
    whole = cv2.merge([factor, factor, factor, np.full(factor.shape, 128, np.uint8)])
    cv2.multiply(region, whole, dst=region, scale=1 / 128)


class ShadowMap:
    """Where the ground, and what stands on it, lies in shadow.

    Args:
        camera: Of the canvas; the map is kept at a quarter of its size, as shadows are soft.
    """

    _REDUCE = 4

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._map = np.zeros((camera.height // self._REDUCE + 1, camera.width // self._REDUCE + 1), np.uint8)

    def add(self, polygon: Points, strength: float) -> None:
        """Darken a world polygon (k, 3) by 0..1; the darkest wins where several lie."""
        pixels = self._camera.project_polygon(polygon) / self._REDUCE
        if len(pixels) < 3:
            return
        layer = np.zeros_like(self._map)
        cv2.fillPoly(layer, [to_fixed(pixels)], float(round(255 * strength)), cv2.LINE_8, 3)
        np.maximum(self._map, layer, out=self._map)

    def soften(self) -> None:
        """Blur the edges, once all is there."""
        self._map = np.asarray(cv2.GaussianBlur(self._map, (0, 0), self._map.shape[0] / 140), np.uint8)

    def at(self, point: Points) -> float:
        """Darkness 0..1 at a world point (3,)."""
        pixels, depth = self._camera.project(point[None])
        column, row = np.rint(pixels[0] / self._REDUCE).astype(int)
        inside = 0 <= row < self._map.shape[0] and 0 <= column < self._map.shape[1]
        return float(self._map[row, column]) / 255 if inside and depth[0] > 0 else 0.0

    def darken(self, canvas: Canvas) -> None:
        """Lay the shadows over what has been painted below the horizon."""
        top = below_horizon(self._camera)
        full = cv2.resize(
            self._map, None, fx=self._REDUCE, fy=self._REDUCE, interpolation=cv2.INTER_LINEAR
        )
        region = canvas.pixels[top:]
        shade = full[top : top + region.shape[0], : region.shape[1]]
        _multiply(region, np.asarray(128 - (shade.astype(np.uint16) >> 1), np.uint8))


def cast_shadows(stage: Stage, items: Iterable[Item], up: float) -> ShadowMap:
    """The shadows of items: long ones away from the sun, and dark ones right below."""
    shadows = ShadowMap(stage.camera)
    strength = stage.light.shadow_strength
    reach = stage.light.shadow_reach
    for item in items:
        shadow = item.shadow
        if shadow is None:
            continue
        base = shadow.outline
        if strength > 0.12:
            ends = np.concatenate([base + reach * shadow.low, base + reach * shadow.high])
            outline = cv2.convexHull(ends.astype(np.float32))
            shadows.add(_lift(outline[:, 0], up), strength * 0.9)
        if not item.shades:
            middle = base.mean(axis=0)
            shadows.add(_lift(middle + (base - middle) * 1.04, up), 0.55)
    shadows.soften()
    return shadows


def paint_haze(stage: Stage) -> None:
    """Blend the ground's far rows into the haze."""
    camera, light = stage.camera, stage.light
    top = below_horizon(camera)
    distance = camera.ground_distance(np.arange(top, camera.height))
    share = light.haze_share(np.minimum(distance, 1e5))
    rows = int((share > 0.02).sum())
    region = stage.canvas.pixels[top : top + rows, :, :3]
    weight = share[:rows, None, None].astype(np.float32)
    region[:] = region * (1 - weight) + light.haze.astype(np.float32) * weight


def _lift(outline: Any, up: float) -> Points:
    return np.insert(np.asarray(outline, float), 1, up, axis=1)

