"""Cityscapes with fine labels, in the standard splits (METHOD section 6).

``leftImg8bit/{split}/CITY/*_leftImg8bit.png`` beside ``gtFine/{split}/CITY/*_gtFine_labelIds.png``,
or the same under the names of the downloaded archives (``leftImg8bit_trainvaltest/leftImg8bit``,
``gtFine_trainvaltest/gtFine``).
"""

from __future__ import annotations

from pathlib import Path

from hierseg.data.base import (
    Sample,
    SegmentationDataset,
    pair_with_labels,
    require_root,
    require_samples,
    require_split,
)
from hierseg.labels import CITYSCAPES

NAME = "cityscapes"
SPLITS = ("train", "val", "test", "train_extra")
UNLABELLED = ("test", "train_extra")  # no public fine labels
IMAGE_ENDING = "_leftImg8bit.png"
LABEL_ENDING = "_gtFine_labelIds.png"


def open_cityscapes(root: Path | None, split: str) -> SegmentationDataset:
    """A split of Cityscapes; ``test`` and ``train_extra`` have no labels.

    Raises:
        UserError: Naming the flag and the expected layout, or images without label maps.
    """
    require_split(NAME, split, SPLITS)
    layout = (
        f"leftImg8bit/{split}/CITY/*{IMAGE_ENDING} and gtFine/{split}/CITY/*{LABEL_ENDING} "
        "(also below leftImg8bit_trainvaltest and gtFine_trainvaltest)"
    )
    root = require_root(NAME, root, layout)
    archive = "trainextra" if split == "train_extra" else "trainvaltest"
    image_folder = _first_folder(root, "leftImg8bit", f"leftImg8bit_{archive}/leftImg8bit", split)
    label_folder = _first_folder(root, "gtFine", "gtFine_trainvaltest/gtFine", split)
    images = [
        (path.name.removesuffix(IMAGE_ENDING), path)
        for path in sorted(image_folder.glob(f"*/*{IMAGE_ENDING}"))
    ]
    if split in UNLABELLED:
        samples = [Sample(name, path) for name, path in images]
    else:
        samples = pair_with_labels(
            images, lambda name, path: label_folder / path.parent.name / f"{name}{LABEL_ENDING}"
        )
    require_samples(NAME, root, split, samples, layout)
    return SegmentationDataset(NAME, split, CITYSCAPES, samples)


def _first_folder(root: Path, plain: str, archive: str, split: str) -> Path:
    """The split's folder in the layout that is there; in the plain one where neither is."""
    candidates = [root / plain / split, root / archive / split]
    return next((folder for folder in candidates if folder.is_dir()), candidates[0])
