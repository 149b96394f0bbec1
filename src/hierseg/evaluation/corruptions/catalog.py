"""The corruptions by name, and a split with corrupted images."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hierseg.data import Record, SegmentationDataset
from hierseg.errors import UsageError
from hierseg.evaluation.corruptions import scene, sensor
from hierseg.wording import find_nearest

SEVERITIES = (1, 2, 3)
VERSION = 1
"""Version of the corruptions; it rises when one changes, so that figures are not mixed."""

Pixels = npt.NDArray[np.uint8]
Corruption = Callable[[sensor.Image, int, np.random.Generator], sensor.Image]

CORRUPTIONS: Mapping[str, Corruption] = {
    "gaussian-noise": sensor.add_gaussian_noise,
    "shot-noise": sensor.add_shot_noise,
    "defocus-blur": sensor.blur_by_defocus,
    "motion-blur": sensor.blur_by_motion,
    "jpeg": sensor.compress_as_jpeg,
    "brightness": sensor.raise_brightness,
    "contrast": sensor.lower_contrast,
    "fog": scene.add_fog,
    "rain": scene.add_rain,
    "night": scene.turn_to_night,
    "occlusion": scene.cover_parts,
}
"""In the order of tables."""


def choose_corruptions(names: Sequence[str]) -> tuple[str, ...]:
    """The named ones in table order, all if none is named; UsageError for an unknown name."""
    for name in names:
        if name not in CORRUPTIONS:
            near = find_nearest(name, CORRUPTIONS, least=0.0)
            raise UsageError(
                f"--corruptions knows no '{name}', the nearest is '{near}'; there are "
                f"{', '.join(CORRUPTIONS)}."
            )
    return tuple(name for name in CORRUPTIONS if name in names or not names)


def corrupt(image: Pixels, name: str, severity: int, key: str, seed: int = 0) -> Pixels:
    """Corrupt an image.

    Random numbers depend on the seed, the corruption and the key alone. So an image is corrupted
    alike in any order and process, and its severities have the same noise, streaks and spots, only
    weaker or stronger.

    Args:
        image: (H, W, 3) uint8 RGB.
        name: One of ``CORRUPTIONS``.
        severity: 1, 2 or 3.
        key: Identifies the image, such as its name.
        seed: Seed of the whole set.

    Returns:
        A new (H, W, 3) uint8 RGB image.
    """
    words = [seed, zlib.crc32(name.encode()), zlib.crc32(key.encode("utf-8", "surrogateescape"))]
    values = image.astype(np.float32) / np.float32(255)
    found = CORRUPTIONS[name](values, SEVERITIES.index(severity), np.random.default_rng(words))
    return np.rint(np.clip(found, 0, 1) * 255).astype(np.uint8)


class CorruptedDataset(SegmentationDataset):
    """A split whose images are corrupted. Its labels stay, also where the corruption hides a thing.

    Args:
        dataset: The split.
        corruption: One of ``CORRUPTIONS``.
        severity: 1, 2 or 3.
        seed: Seed of the whole set.
    """

    def __init__(
        self, dataset: SegmentationDataset, corruption: str, severity: int, seed: int = 0
    ) -> None:
        super().__init__(dataset.name, dataset.split, dataset.label_space, dataset.samples)
        self.dataset = dataset
        self.corruption, self.severity, self.seed = corruption, severity, seed
        self.boosted_classes, self.label_rule = dataset.boosted_classes, dataset.label_rule
        self.palette = dataset.palette
        self.statistics, self.note = dataset.statistics, dataset.note

    def list_files(self, index: int) -> list[Path]:
        """The files of the split itself."""
        return self.dataset.list_files(index)

    def read(self, index: int) -> Record:
        """The sample with its image corrupted."""
        record = self.dataset.read(index)
        image = corrupt(record.image, self.corruption, self.severity, record.name, self.seed)
        return dataclasses.replace(record, image=image)

    def read_labels(self, index: int) -> Pixels | None:
        """The labels of the split itself."""
        return self.dataset.read_labels(index)
