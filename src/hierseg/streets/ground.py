"""Everything flat: road, markings, tracks, pavement, grass, and the shadows on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hierseg.streets import surfaces
from hierseg.streets.camera import NEAR, Camera, Points
from hierseg.streets.canvas import Canvas, Color, Pixels, to_fixed
from hierseg.streets.stage import Item, Stage

ROAD, SIDEWALK, PARKING, RAIL_TRACK, TERRAIN, GROUND = 7, 8, 9, 10, 22, 6

_CONTACT = 0.55  # darkness of the ground right below a thing
_UP = np.array([0.0, 1.0, 0.0])


def fill_ground(
    stage: Stage, polygon: Points, color: Color, label: int, facing: Points = _UP
) -> None:
    """Fill a world polygon (k, 3) in a colour as the light makes it look; haze comes later."""
    pixels = stage.camera.project_polygon(polygon)
    stage.lie_on(polygon)
    stage.canvas.fill(pixels, stage.light.shade(color, facing), label)
    upright = np.ptp(polygon[:, 1]) > 0
    if stage.canvas.trace is not None and upright and len(polygon) > 4:
        for i in range(len(polygon) // 2 - 1):  # the face of a bent kerb: flat only in pieces
            piece = polygon[[i, i + 1, -2 - i, -1 - i]]
            stage.lie_on(piece)
            stage.canvas.trace.fill(to_fixed(stage.camera.project_polygon(piece)))


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
    labels = region[::2, ::2, 3]
    rows = np.arange(top, camera.height, 2)
    fade = np.clip(16 / camera.ground_distance(rows), 0, 1).astype(np.float32)
    factor = np.full(labels.shape, 128, np.uint8)
    kinds = [
        ((ROAD, PARKING), surfaces.cobbles() if cobbled else surfaces.asphalt()),
        ((SIDEWALK, GROUND), surfaces.paving()),
        ((TERRAIN, RAIL_TRACK), surfaces.grass()),
    ]
    for ids, texture in kinds:
        mask = np.isin(labels, ids).view(np.uint8)
        found = np.flatnonzero(mask.any(axis=1))
        if len(found):
            first = int(found[0])
            laid = _laid_out(texture, camera, top + 2 * first, offset)
            cv2.copyTo(laid, mask[first:], factor[first:])
    faded = 128 + (factor.astype(np.float32) - 128) * fade[:, None]
    full = cv2.resize(faded.astype(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    _multiply(region, np.asarray(full[: region.shape[0], : region.shape[1]], np.uint8))


def _laid_out(texture: Pixels, camera: Camera, top: int, offset: tuple[float, float]) -> Pixels:
    """A texture on the ground plane, as every second row from ``top`` on and column see it."""
    metres = surfaces.TILE_METRES / surfaces.TILE
    corner = np.array([offset[0] * surfaces.TILE_METRES, 0, offset[1] * surfaces.TILE_METRES])
    plane = camera.plane(corner, np.array([metres, 0, 0]), np.array([0, 0, metres]))
    move = np.array([[0.5, 0, 0], [0, 0.5, -top / 2], [0, 0, 1.0]])
    size = ((camera.width + 1) // 2, (camera.height - top + 1) // 2)
    laid: Any = cv2.warpPerspective(
        texture, move @ plane, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
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
        self._map = np.zeros(
            (camera.height // self._REDUCE + 1, camera.width // self._REDUCE + 1), np.uint8
        )

    def add(self, outlines: list[Any], strength: float) -> None:
        """Darken outlines (k, 2) in X and Z to 0..1, whatever was there before."""
        stops = np.cumsum([len(outline) for outline in outlines])
        flat = np.concatenate(outlines)
        points = np.column_stack([flat[:, 0], np.zeros(len(flat)), flat[:, 1]])
        local = self._camera.to_camera(points)
        fixed = to_fixed(self._camera.to_pixels(local) / self._REDUCE)
        ahead = local[:, 2] >= NEAR
        value = float(round(255 * strength))
        for start, stop in zip(np.concatenate([[0], stops[:-1]]), stops, strict=True):
            if ahead[start:stop].all():
                polygon = fixed[start:stop]
            elif ahead[start:stop].any():
                polygon = to_fixed(self._camera.project_polygon(points[start:stop]) / self._REDUCE)
            else:
                continue
            cv2.fillPoly(self._map, [polygon], value, cv2.LINE_8, 3)

    def soften(self) -> None:
        """Blur the edges, once all is there."""
        self._map = np.asarray(
            cv2.GaussianBlur(self._map, (0, 0), self._map.shape[0] / 140), np.uint8
        )

    def at(self, points: Points) -> Points:
        """Darkness 0..1 at world points (n, 3)."""
        pixels, depth = self._camera.project(points)
        column, row = np.rint(pixels / self._REDUCE).astype(int).T
        rows, columns = self._map.shape
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns) & (depth > 0)
        values = self._map[np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)]
        return np.where(inside, values / 255.0, 0.0)

    def darken(self, canvas: Canvas) -> None:
        """Lay the shadows over what has been painted below the horizon."""
        top = below_horizon(self._camera)
        full = cv2.resize(
            self._map, None, fx=self._REDUCE, fy=self._REDUCE, interpolation=cv2.INTER_LINEAR
        )
        region = canvas.pixels[top:]
        shade = full[top : top + region.shape[0], : region.shape[1]]
        _multiply(region, np.asarray(128 - (shade.astype(np.uint16) >> 1), np.uint8))


def cast_shadows(stage: Stage, items: Iterable[Item]) -> ShadowMap:
    """The shadows of items: long ones away from the sun, and dark ones right below."""
    shadows = ShadowMap(stage.camera)
    reach = stage.light.shadow_reach
    casting = [(item.shadow, item.shades) for item in items]
    layers: list[tuple[float, list[Any]]] = [
        (stage.light.shadow_strength * 0.9, []),
        (_CONTACT, []),
    ]
    for shadow, shades in casting:
        if shadow is None:
            continue
        base = shadow.outline
        ends = np.concatenate([base + reach * shadow.low, base + reach * shadow.high])
        layers[0][1].append(cv2.convexHull(ends.astype(np.float32))[:, 0].astype(float))
        if not shades:
            layers[1][1].append(base)
    for strength, outlines in sorted(layers, key=lambda layer: layer[0]):  # the darker one on top
        if strength > 0.1 and outlines:
            shadows.add(outlines, strength)
    shadows.soften()
    return shadows


def paint_haze(stage: Stage) -> None:
    """Blend the ground's far rows into the haze."""
    camera, light = stage.camera, stage.light
    top = below_horizon(camera)
    distance = camera.ground_distance(np.arange(top, camera.height))
    share = light.haze_share(np.minimum(distance, 1e5))
    region = stage.canvas.pixels[top:]
    haze = np.empty_like(region)
    haze[..., :3] = light.haze.astype(np.uint8)
    haze[..., 3] = region[..., 3]  # blending a label with itself leaves it as it is
    for row in range(int((share > 0.02).sum())):
        weight = float(share[row])
        cv2.addWeighted(region[row], 1 - weight, haze[row], weight, 0, dst=region[row])
