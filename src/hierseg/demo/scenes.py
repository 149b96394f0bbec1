"""The demonstration's scenes: Miniature Streets of a seed that no training uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hierseg.labels import CITYSCAPES
from hierseg.media import write_picture
from hierseg.size import Size
from hierseg.streets import draw_street, scene_seed

DEMO_SEED = int.from_bytes(b"demo", "big")
"""The set that is kept for the demonstration: the packaged weights are trained on other seeds."""

WEIGHTS = "streets-lite0"
"""Packaged weights of the scenes' own kind: they know Cityscapes' classes, and drawn things."""

FOLDER = "scenes"


@dataclass(frozen=True)
class DemoScene:
    """A scene on disk, and what is truly in it.

    Attributes:
        name: Name of the image file without suffix.
        image: The image file.
        truth: (H, W) uint8 train ids of Cityscapes, with its ignore value.
    """

    name: str
    image: Path
    truth: npt.NDArray[np.uint8]


def draw_scenes(out: Path, count: int, size: Size, seed: int = DEMO_SEED) -> Iterator[DemoScene]:
    """Draw scenes into ``out/scenes``, one at a time.

    Args:
        out: Folder of the demonstration.
        count: Number of scenes.
        size: Size of a scene.
        seed: The set whose first scenes are drawn, those of ``hierseg streets --seed``.
    """
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    for index in range(count):
        pixels, raw_ids = draw_street(scene_seed(seed, index), size)
        name = name_scene(index)
        path = write_picture(out / FOLDER / f"{name}.png", pixels)
        yield DemoScene(name, path, CITYSCAPES.encode(raw_ids))


def name_scene(index: int) -> str:
    """The name of a scene by its place in the set."""
    return f"street_{index:02d}"
