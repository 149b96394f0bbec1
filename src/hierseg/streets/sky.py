"""The sky: a gradient from the haze above the horizon to the zenith, clouds, and the sun's glow."""

from __future__ import annotations

import cv2
import numpy as np

from hierseg.streets import surfaces
from hierseg.streets.camera import Camera, Points
from hierseg.streets.canvas import Canvas, Pixels
from hierseg.streets.ground import below_horizon
from hierseg.streets.light import Light

SKY = 23  # Cityscapes' label id

_COARSE = 8  # the sky is smooth: it is computed on every eighth row and column


def paint_sky(canvas: Canvas, camera: Camera, light: Light, offset: tuple[float, float]) -> None:
    """Cover the canvas with sky, down to where the ground is seen all over its width.

    Args:
        canvas: To paint on.
        camera: Whose view it is.
        light: Weather and sun.
        offset: (x, y) in 0..1, which part of the clouds is overhead.
    """
    width = canvas.pixels.shape[1]
    height = min(canvas.pixels.shape[0], below_horizon(camera) + _COARSE)
    rows = np.arange(0, height + _COARSE, _COARSE, dtype=float)
    columns = np.arange(0, width + _COARSE, _COARSE, dtype=float)
    rise = (camera.center[1] - rows)[:, None] / camera.focal
    side = (columns - camera.center[0])[None] / camera.focal
    elevation = rise / np.sqrt(1 + side**2) + np.tan(np.arcsin(camera.forward[1]))
    blue = np.clip(elevation / 0.7, 0, 1)[..., None] ** 0.55
    sky = light.haze * (1 - blue) + light.zenith * blue
    sky += _glow(camera, light, rise, side)[..., None] * np.array([70, 58, 38])
    cover = _cover(light, elevation, side + camera.forward[0], offset)
    bright, dark = _cloud_colors(light)
    shade = np.clip(0.35 + 0.65 * cover, 0, 1)[..., None]
    share = (np.clip(cover * 2.2, 0, 1) * np.clip(elevation * 9, 0.15, 0.92))[..., None]
    sky = sky * (1 - share) + (bright * shade + dark * (1 - shade)) * share
    coarse: Pixels = np.clip(sky, 0, 255).astype(np.uint8)
    full = cv2.resize(coarse, (coarse.shape[1] * _COARSE, coarse.shape[0] * _COARSE))
    canvas.pixels[:height, :, :3] = full[:height, :width]
    canvas.pixels[:height, :, 3] = SKY


def _glow(camera: Camera, light: Light, rise: Points, side: Points) -> Points:
    """(rows, columns) brightness 0..1 around the sun."""
    sun = camera.axes @ light.sun
    length = np.sqrt(1 + rise**2 + side**2)
    toward = np.clip((sun[0] * side + sun[1] * rise + sun[2]) / length, 0, 1)
    strength = float(light.direct.mean())
    glow: Points = strength * (toward**8 * 0.6 + toward**60)
    return glow


def _cover(light: Light, elevation: Points, side: Points, offset: tuple[float, float]) -> Points:
    """(rows, columns) density 0..1 of the clouds: a layer overhead seen in perspective."""
    reach = 1 / np.maximum(elevation, 0.02) ** 0.55
    x = ((side * reach * 0.32 + offset[0]) * surfaces.TILE).astype(np.float32)
    y = ((reach * 0.42 + offset[1]) * surfaces.TILE).astype(np.float32)
    density = cv2.remap(
        surfaces.clouds(), x % surfaces.TILE, y % surfaces.TILE, cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )  # fmt: skip
    threshold = 1.12 - 1.15 * light.clouds
    cover: Points = np.clip((density / 255.0 - threshold) * 2.4 + 0.25 * light.clouds, 0, 1)
    return cover


def _cloud_colors(light: Light) -> tuple[Points, Points]:
    """The sunny and the shaded side of clouds."""
    power = np.clip(light.ambient + 0.75 * light.direct, 0, 1.2)
    if light.weather == "overcast":
        return light.haze * 1.04, light.haze * 0.78
    return np.minimum(250 * power / power.max() * min(1.0, power.mean()), 255), light.haze * 0.86
