"""CamVid in 11 classes (Brostow et al. 2009; the split and ids of the SegNet tutorial).

``train``, ``val``, ``test``: images as PNG or JPEG; ``trainannot`` and so on: label maps, 8-bit
PNG of the same stem, ids 0 to 10 and 11 for void.
"""

from __future__ import annotations

from pathlib import Path

from hierseg.data.archive import find_files
from hierseg.data.base import (
    Sample,
    SegmentationDataset,
    pair_with_labels,
    require_root,
    require_samples,
    require_split,
)
from hierseg.data.options import STANDARD, DataOptions
from hierseg.labels import CAMVID

NAME = "camvid"
SPLITS = ("train", "val", "test")


def open_camvid(
    root: Path | None, split: str, options: DataOptions = STANDARD
) -> SegmentationDataset:
    """A split of CamVid; ``test`` may lack labels. Errors name the flag and what was expected."""
    require_split(NAME, split, SPLITS)
    options.require_plain(NAME)
    layout = f"{split}/*.png (or .jpg) and {split}annot/*.png"
    root = require_root(NAME, root, layout)
    # PNG, the original, after JPEG: where both are there it stays.
    files = [*find_files(root / split, "*.jpg"), *find_files(root / split, "*.png")]
    images = sorted({path.stem: path for path in files}.items())
    labels = root / f"{split}annot"
    if split == "test" and not labels.is_dir():
        samples = [Sample(name, path) for name, path in images]
    else:
        samples = pair_with_labels(images, lambda name, _: labels / f"{name}.png")
    require_samples(NAME, root, split, samples, layout)
    return SegmentationDataset(NAME, split, CAMVID, samples)
