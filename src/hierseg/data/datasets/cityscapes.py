"""Cityscapes: fine, coarse and auto-labels, cross-validation by city (METHOD section 6).

``leftImg8bit/{split}/CITY/*_leftImg8bit.png``, ``gtFine/...``, ``gtCoarse/...``; the same under the
names of the downloaded archives (``gtFine_trainvaltest/gtFine``); or in the archives themselves.
"""

from __future__ import annotations

from pathlib import Path

from hierseg.data import base
from hierseg.data.base import Sample, SegmentationDataset
from hierseg.data.datasets.splits import choose_window
from hierseg.data.options import STANDARD, DataOptions, check_cv
from hierseg.data.pseudo_labels.rules import PseudoLabelledDataset, PseudoSample
from hierseg.labels import CITYSCAPES

NAME = "cityscapes"
SPLITS = ("train", "val", "test", "train_extra")
ALL_CITIES = 3  # the cross-validation split that has every city in both
IMAGE_ENDING = "_leftImg8bit.png"
LABELS = {  # folder, archive, ending
    "fine": ("gtFine", "gtFine_trainvaltest", "_gtFine_labelIds.png"),
    "coarse": ("gtCoarse", "gtCoarse", "_gtCoarse_labelIds.png"),
    "auto": ("autolabelled", "autolabelled", IMAGE_ENDING),
}


def open_cityscapes(
    root: Path | None, split: str, options: DataOptions = STANDARD
) -> SegmentationDataset:
    """A split; ``test`` has no labels, ``train_extra`` no fine ones. Errors name the flag."""
    base.require_split(NAME, split, SPLITS)
    check_cv(NAME, options.cv, ALL_CITIES)
    folder, archive, ending = LABELS[options.labels]
    layout = (
        f"leftImg8bit/{split}/CITY/*{IMAGE_ENDING} and {folder}/{split}/CITY/*{ending} (also below "
        f"leftImg8bit_trainvaltest and {archive}, or in the downloaded zip files of these names)"
    )
    root = base.require_root(NAME, root, layout)
    images, note = _choose_images(root, split, options.cv)
    unlabelled = split == "test" or (split == "train_extra" and options.labels == "fine")
    labels = _below(root, folder, archive)
    if options.labels == "auto" and options.auto_folder is not None:
        labels = options.auto_folder
    samples = base.pair_with_labels(
        images,
        lambda name, path: None if unlabelled else labels / _place(path) / f"{name}{ending}",
    )
    base.require_samples(NAME, root, split, samples, layout)
    if options.labels == "fine" or unlabelled:
        dataset = SegmentationDataset(NAME, split, CITYSCAPES, samples)
    else:
        trusted = [_add_files(root, sample, options) for sample in samples]
        dataset = PseudoLabelledDataset(NAME, split, CITYSCAPES, trusted, options.rules)
        note = ", ".join(filter(None, (note, f"{options.labels} labels")))
    dataset.note = note
    return dataset


def _below(root: Path, folder: str, archive: str) -> Path:
    return base.first_folder(root, f"{archive}/{folder}", f"{archive}.zip/{folder}", folder)


def _place(image: Path) -> Path:
    """``SPLIT/CITY`` of an image."""
    return Path(image.parent.parent.name, image.parent.name)


def _choose_images(root: Path, split: str, cv: int) -> tuple[list[tuple[str, Path]], str]:
    """The named images of a split of a cross-validation, and what is not standard about it."""

    def find(standard: str) -> list[tuple[str, Path]]:
        archive = (
            "leftImg8bit_trainextra" if standard == "train_extra" else "leftImg8bit_trainvaltest"
        )
        places = ("leftImg8bit", f"{archive}/leftImg8bit", f"{archive}.zip/leftImg8bit")
        folder = base.first_folder(root, *(f"{place}/{standard}" for place in places))
        return base.find_named(folder, f"*/*{IMAGE_ENDING}", IMAGE_ENDING)

    if cv == 0 or split not in ("train", "val"):
        return find(split), ""
    val, train = find("val"), find("train")
    if cv == ALL_CITIES:
        return val + train, "cv 3, all cities for training and validation"
    cities = [{_place(path).name for _, path in part} for part in (val, train)]
    held_out = choose_window(cities[0], cities[1], cv)
    note = f"cv {cv}, with {', '.join(sorted(held_out))} for validation"
    is_val = split == "val"
    return [(n, p) for n, p in val + train if (_place(p).name in held_out) == is_val], note


def _add_files(root: Path, sample: Sample, options: DataOptions) -> PseudoSample:
    """A sample with the files that its rules need beside the label map."""
    if options.labels == "coarse" or sample.label is None:
        return PseudoSample(sample.name, sample.image, sample.label)
    confidence = sample.label.with_name(f"{sample.name}{IMAGE_ENDING[:-4]}_prob.png")
    folder, archive, ending = LABELS["coarse"]
    coarse = _below(root, folder, archive) / _place(sample.image) / f"{sample.name}{ending}"
    used = coarse if options.rules.from_coarse else None
    return PseudoSample(sample.name, sample.image, sample.label, confidence, used)
