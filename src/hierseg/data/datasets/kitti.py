"""KITTI's semantic segmentation: 200 labelled images with Cityscapes' ids (METHOD section 6).

``training/image_2/*.png`` beside ``training/semantic/*.png``, and ``testing/image_2``, in a folder
or in the downloaded ``data_semantics.zip``. There is no standard validation split: the 200 images
are put in an order that ``SEED`` gives, and split n (0, 1, 2) validates on the n-th fifth of it.
"""

from __future__ import annotations

from pathlib import Path

from hierseg.data.base import (
    SegmentationDataset,
    find_named,
    first_folder,
    pair_with_labels,
    require_root,
    require_samples,
    require_split,
)
from hierseg.data.datasets.splits import shuffle_names
from hierseg.data.options import STANDARD, DataOptions, check_cv
from hierseg.labels import CITYSCAPES

NAME = "kitti"
SPLITS = ("train", "val", "test")
SEED = 2015  # the year of the benchmark; part of what "split n" means, so never to be changed
ALL_IMAGES = 3
FIFTH = 5


def open_kitti(
    root: Path | None, split: str, options: DataOptions = STANDARD
) -> SegmentationDataset:
    """A split of KITTI; ``test`` has no labels. Errors name the flag and what was expected."""
    require_split(NAME, split, SPLITS)
    check_cv(NAME, options.cv, ALL_IMAGES)
    options.require_fine(NAME)
    part = "testing" if split == "test" else "training"
    layout = f"{part}/image_2/*.png" + ("" if split == "test" else f" and {part}/semantic/*.png")
    root = require_root(NAME, root, layout)
    folder = first_folder(root, part, f"data_semantics/{part}", f"data_semantics.zip/{part}")
    images = find_named(folder / "image_2", "*.png", ".png")
    note = ""
    if split != "test":
        images, note = _choose_images(images, split, options.cv)
    samples = pair_with_labels(
        images,
        lambda name, _: None if split == "test" else folder / "semantic" / f"{name}.png",
    )
    require_samples(NAME, root, split, samples, layout)
    dataset = SegmentationDataset(NAME, split, CITYSCAPES, samples)
    dataset.note = note
    return dataset


def _choose_images(
    images: list[tuple[str, Path]], split: str, cv: int
) -> tuple[list[tuple[str, Path]], str]:
    if cv == ALL_IMAGES:
        return images, "cv 3, all images for training and validation"
    order = shuffle_names([name for name, _ in images], SEED)
    count = max(1, len(order) // FIFTH) if len(order) > 1 else 0
    start = cv * count % max(1, len(order))
    held_out = set(order[start : start + count])
    chosen = [(name, path) for name, path in images if (name in held_out) == (split == "val")]
    return chosen, f"cv {cv} of three drawn from seed {SEED}"
