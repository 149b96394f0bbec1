"""KITTI's semantic segmentation: 200 labelled images with Cityscapes' ids (METHOD section 6).

``training/image_2/*.png`` beside ``training/semantic/*.png``, and ``testing/image_2``, in a folder
or in the downloaded ``data_semantics.zip``. There is no standard validation split: split n (0, 1,
2) validates on the images that VPLR held out in its split of that number.
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
from hierseg.data.options import STANDARD, DataOptions, check_cv
from hierseg.labels import CITYSCAPES

NAME = "kitti"
SPLITS = ("train", "val", "test")
HELD_OUT = (
    (1, 5, 11, 29, 35, 49, 57, 68, 72, 82, 93, 115, 119, 130, 145, 154, 156, 167, 169, 189, 198),
    (0, 12, 24, 31, 42, 50, 63, 71, 84, 96, 101, 112, 121, 133, 141, 155, 164, 171, 187, 191, 197),
    (3, 6, 13, 21, 41, 54, 61, 73, 88, 91, 110, 121, 126, 131, 142, 149, 150, 163, 173, 183, 199),
)
"""Published validation images of each split, by their places in the order of names, from 0."""
ALL_IMAGES = len(HELD_OUT)


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
    in_order = sorted(images)
    is_val = split == "val"
    chosen = [pair for place, pair in enumerate(in_order) if (place in HELD_OUT[cv]) == is_val]
    return chosen, f"cv {cv} of the three published"
