"""Clips of a textured plane that the camera moves over, for tests of motion."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def draw_clip(
    frames: int, height: int = 64, width: int = 64, step: tuple[int, int] = (2, 1), seed: int = 0
) -> list[np.ndarray]:
    """(H, W, 3) uint8 frames: what is at (x, y) of one was at (x + step) of the one before."""
    coarse = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
    right, down = step
    size = (width + right * frames, height + down * frames)
    plane = np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC))
    return [
        plane[down * n : down * n + height, right * n : right * n + width] for n in range(frames)
    ]


def write_clip(folder: Path, frames: list[np.ndarray], name: str = "frame_{:03}.png") -> Path:
    """The frames as numbered images."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames):
        cv2.imwrite(str(folder / name.format(number)), frame[..., ::-1])
    return folder
