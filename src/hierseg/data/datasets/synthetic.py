"""Random images and labels without any file, for timing training.

``synthetic:NAME`` has the classes of that data set, ``synthetic`` those of Cityscapes. An image is
noise, its labels are squares of random classes; both depend on the split and the index alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hierseg.data.base import Record, Sample, SegmentationDataset, require_split
from hierseg.data.options import STANDARD, DataOptions
from hierseg.data.reading import UInt8Array
from hierseg.errors import UsageError
from hierseg.labels import CAMVID, CITYSCAPES, MAPILLARY, LabelSpace
from hierseg.size import Size

NAME = "synthetic"
CLASSES: Mapping[str, LabelSpace] = {
    "camvid": CAMVID,
    "cityscapes": CITYSCAPES,
    "kitti": CITYSCAPES,
    "mapillary": MAPILLARY,
}
IMAGES = {"train": 512, "val": 32}
SIZE = Size(1024, 2048)
SQUARE = 32
"""Side in pixels of a square of one class."""


def is_synthetic(name: str) -> bool:
    """Whether the name of a data set is that of random images."""
    return name.partition(":")[0] == NAME


class SyntheticDataset(SegmentationDataset):
    """Noise and squares.

    Args:
        split: A split of ``IMAGES``.
        label_space: Classes of the squares; one label beside them is ignored.
        size: Of every image.
    """

    has_files = False

    def __init__(self, split: str, label_space: LabelSpace, size: Size) -> None:
        paths = [Path(NAME, split, f"{index:05}") for index in range(IMAGES[split])]
        # A label too, as training asks for one of each image; neither is looked for.
        samples = [Sample(f"{split}-{path.name}", path, path) for path in paths]
        super().__init__(NAME, split, label_space, samples)
        self.size = size
        self.label_rule = f"{split} {len(samples)} {size} {SQUARE}"
        self.note = "random images"

    def list_files(self, index: int) -> list[Path]:
        """None."""
        return []

    def read(self, index: int) -> Record:
        """Noise (H, W, 3), and its squares."""
        height, width = self.size
        values = height * width * 3
        # Eight at once: faster than a picture is decoded, so that loading is not what is timed.
        eights = self._random(index, 0).integers(0, 2**64, -(-values // 8), np.uint64)
        image = eights.view(np.uint8)[:values].reshape(height, width, 3)
        return Record(image, self.read_labels(index), self.samples[index].name)

    def read_labels(self, index: int) -> UInt8Array:
        """(H, W) uint8 train ids and ignore."""
        height, width = self.size
        known = self.label_space.num_classes
        shape = -(-height // SQUARE), -(-width // SQUARE)
        drawn = self._random(index, 1).integers(0, known + 1, shape)
        squares = np.where(drawn == known, self.label_space.ignore, drawn).astype(np.uint8)
        labels = squares.repeat(SQUARE, axis=0).repeat(SQUARE, axis=1)[:height, :width]
        return np.ascontiguousarray(labels)

    def _random(self, index: int, what: int) -> np.random.Generator:
        return np.random.default_rng([list(IMAGES).index(self.split), index, what])


def open_synthetic(
    name: str, root: Path | None, split: str, options: DataOptions = STANDARD
) -> SyntheticDataset:
    """A split of random images; UsageError for classes that are not known, and for a folder."""
    require_split(NAME, split, list(IMAGES))
    options.require_plain(NAME)
    if root is not None:
        raise UsageError(f"{NAME} data have no folder; leave out --data.root (--root).")
    classes = name.partition(":")[2] or "cityscapes"
    if classes not in CLASSES:
        raise UsageError(
            f"{NAME} data have the classes of {', '.join(CLASSES)}, not of '{classes}'; give, "
            f"for example, --data.name {NAME}:cityscapes."
        )
    return SyntheticDataset(split, CLASSES[classes], options.size or SIZE)
