"""The camera's effects: its car's bonnet in view, exposure, blur, vignetting, noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hierseg.streets.camera import Points
from hierseg.streets.canvas import Canvas, Pixels

EGO_VEHICLE, OUT_OF_ROI = 1, 3


@dataclass(frozen=True)
class Lens:
    """The properties of a camera and its picture.

    Attributes:
        exposure: Factor of brightness.
        balance: (3,) factors of red, green, blue.
        contrast: Around the middle grey.
        blur: Deviation in shares of the picture's height.
        vignette: Loss of brightness in the corners, 0..1.
        noise: Deviation in units of 0..255 at a height of 256 pixels.
        noise_seed: Seed of the noise.
        hood: Height of the car's bonnet in shares of the picture's height; 0 for none.
        hood_color: Its colour.
        margin: Width of the border that is out of the region of interest, in shares of the height.
    """

    exposure: float
    balance: Points
    contrast: float
    blur: float
    vignette: float
    noise: float
    noise_seed: int
    hood: float
    hood_color: Points
    margin: float


def draw_lens(rng: np.random.Generator) -> Lens:
    """Any camera."""
    return Lens(
        exposure=float(rng.uniform(0.94, 1.12)),
        balance=np.clip(rng.normal(1, 0.025, 3), 0.93, 1.07),
        contrast=float(rng.uniform(0.92, 1.12)),
        blur=float(rng.uniform(0.0004, 0.0021)),
        vignette=float(rng.uniform(0.0, 0.28)),
        noise=float(rng.uniform(0.8, 4.5)),
        noise_seed=int(rng.integers(1 << 30)),
        hood=float(rng.uniform(0.05, 0.13)) if rng.random() < 0.4 else 0.0,
        hood_color=np.array([1, 1, 1.0]) * rng.uniform(24, 110) + rng.normal(0, 6, 3),
        margin=float(rng.uniform(0.008, 0.02)) if rng.random() < 0.25 else 0.0,
    )


def paint_hood(canvas: Canvas, lens: Lens) -> None:
    """The bonnet at the lower edge, with the sky's sheen on it."""
    if lens.hood == 0:
        return
    if canvas.trace is not None:
        canvas.trace.begin_hood()
    height, width = canvas.pixels.shape[:2]
    x = np.linspace(-1.02, 1.02, 40)
    for step in np.linspace(0, 1, 16):
        rise = lens.hood * (1 - 0.75 * step) * (1 - 0.32 * x**2 - 0.3 * x**6)
        edge = np.column_stack([(x + 1) / 2 * width, height * (1 - rise)])
        corners = [[width + 2, height + 2], [-2, height + 2]]
        color = lens.hood_color * (1.35 - 0.6 * step) + 14 * (1 - step)
        canvas.fill(np.concatenate([edge, corners]), np.clip(color, 0, 255), EGO_VEHICLE)


def mark_margin(labels: Pixels, lens: Lens) -> None:
    """Take the border out of the region of interest, in place; the picture goes on there."""
    margin = round(lens.margin * labels.shape[0])
    if margin:
        labels[:, :margin] = OUT_OF_ROI
        labels[:, -margin:] = OUT_OF_ROI
        labels[-margin:] = OUT_OF_ROI


def expose(picture: Pixels, lens: Lens) -> Pixels:
    """The photograph (H, W, 3) of a picture (H, W, 3)."""
    height, width = picture.shape[:2]
    sigma = lens.blur * height
    sharp = cv2.GaussianBlur(picture, (0, 0), sigma) if sigma > 0.2 else picture
    values = sharp.astype(np.float32)
    gain = lens.balance.astype(np.float32) * np.float32(lens.exposure * lens.contrast)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    fall = 1 - np.float32(lens.vignette) * ((x * x + y * y) / 2) ** 1.5
    values *= fall[..., None] * gain
    rng = np.random.default_rng(lens.noise_seed)
    grain = rng.standard_normal(values.shape, dtype=np.float32)
    strength = lens.noise * min(1.5, max(0.6, (height / 256) ** 0.25))
    level = 128 * (1 - lens.contrast)
    photo = cv2.addWeighted(values, 1.0, grain, strength, level, dtype=cv2.CV_8U)
    return np.asarray(photo, np.uint8)
