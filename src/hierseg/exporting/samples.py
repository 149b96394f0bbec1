"""Pictures on which a file is compared with its network, or its ranges are measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from hierseg.data import SegmentationDataset, resize_image
from hierseg.errors import UserError
from hierseg.media import find_sources, read_image
from hierseg.size import Size
from hierseg.streets import draw_street, scene_seed

Item = TypeVar("Item")
SEED = int.from_bytes(b"export", "big")
"""The seed of the drawn scenes; the packaged weights were trained on others."""
DRAWN = (Size(256, 512), Size(360, 480), Size(193, 331), Size(320, 320))
"""Sizes of the scenes for a file that takes any size; one is odd."""


class SampleImage(NamedTuple):
    """A picture and its name."""

    name: str
    pixels: npt.NDArray[np.uint8]
    """(H, W, 3) RGB."""


def read_samples(folder: Path, most: int, size: Size | None) -> list[SampleImage]:
    """Pictures of a folder, chosen evenly.

    Args:
        folder: A folder with pictures, searched recursively.
        most: Most pictures to take.
        size: Size to resize them to; None keeps their own.

    Raises:
        UserError: There are no pictures, or one cannot be read.
    """
    paths = spread(find_sources([folder]).images, most)
    names = _name_apart(paths)
    return [_make(name, read_image(path), size) for name, path in zip(names, paths, strict=True)]


def read_dataset_samples(
    dataset: SegmentationDataset, most: int, size: Size | None
) -> list[SampleImage]:
    """At most ``most`` images of a split, chosen evenly; UserError if there are none."""
    if not len(dataset):
        raise UserError(f"{dataset.name} has no images in this split; name another.")
    found = [dataset.read(index) for index in spread(range(len(dataset)), most)]
    return [_make(record.name.replace("/", "_"), record.image, size) for record in found]


def draw_samples(size: Size | None) -> list[SampleImage]:
    """Four scenes of Miniature Streets of ``size``; with None, of different sizes."""
    sizes = DRAWN if size is None else (size,) * len(DRAWN)
    return [
        SampleImage(f"street_{index:02d}", draw_street(scene_seed(SEED, index), one)[0])
        for index, one in enumerate(sizes)
    ]


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most ``most`` items, chosen evenly from the first to the last."""
    if len(items) <= most:
        return list(items)
    return [items[index] for index in np.linspace(0, len(items) - 1, most).round().astype(int)]


def _make(name: str, pixels: npt.NDArray[np.uint8], size: Size | None) -> SampleImage:
    if size is not None and pixels.shape[:2] != tuple(size):
        pixels = resize_image(pixels, size)
    return SampleImage(name, np.ascontiguousarray(pixels))


def _name_apart(paths: Sequence[Path]) -> list[str]:
    """Stems of the paths; equal ones get a number in front."""
    stems = [path.stem for path in paths]
    if len({*stems}) == len(stems):
        return stems
    return [f"{index:02d}_{stem}" for index, stem in enumerate(stems)]
