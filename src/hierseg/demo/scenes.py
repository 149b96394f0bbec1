"""The demonstration's scenes: Miniature Streets drawn from seeds that no training uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hierseg.data.streets import draw_street
from hierseg.inference.writers import write_picture
from hierseg.labels import CITYSCAPES
from hierseg.size import Size

DEMO_SEED = 2024
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
        seed: Together with a scene's number it decides the scene.
    """
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    for index in range(count):
        pixels, raw_ids = draw_street(scene_seed(seed, index), size)
        name = f"street_{index:02d}"
        path = write_picture(out / FOLDER / f"{name}.png", pixels)
        yield DemoScene(name, path, CITYSCAPES.encode(raw_ids))


def scene_seed(seed: int, index: int) -> int:
    """The seed of one scene, from (seed, "demo", index): a key that no data set's scenes have."""
    key = [seed, *b"demo", index]
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])
