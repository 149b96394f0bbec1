"""Any folder of images, with label maps or without.

``ROOT/images/SPLIT`` and ``ROOT/labels/SPLIT``, folders below them allowed, paired by relative path
and stem; label maps are one-channel PNG. Or a folder of images alone, at any depth; any split name
gives all of them. Linked folders are followed, hidden ones left out. The classes come from
``ROOT/labels.json``. Without that file they are given, and label maps hold train ids, 0..K-1, and
ignore.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hierseg.data.archive import find_files, is_folder
from hierseg.data.base import (
    Sample,
    SegmentationDataset,
    pair_with_labels,
    require_root,
    require_samples,
)
from hierseg.data.described.label_space_file import read_label_space
from hierseg.data.endings import IMAGE_ENDINGS
from hierseg.errors import UserError
from hierseg.labels import LabelSpace

NAME = "folder"
SPACE_FILE = "labels.json"


def open_folder(
    root: Path | None, split: str, label_space: LabelSpace | None = None
) -> SegmentationDataset:
    """A folder as a data set.

    Args:
        root: The folder.
        split: Name of the folder below ``images`` and ``labels``.
        label_space: Names and colours of the classes where the folder has no ``labels.json``.
    """
    layout = f"images/{split}/*.png (or .jpg) and labels/{split}/*.png, or images alone"
    root = require_root(NAME, root, layout)
    space = _find_space(root, label_space)
    labels = root / "labels" / split
    if is_folder(root / "images"):
        images = _named_images(root / "images" / split)
    else:
        images = _named_images(root)
    if is_folder(labels):
        samples = pair_with_labels(images, lambda name, _: labels / f"{name}.png")
    else:
        samples = [Sample(name, path) for name, path in images]
    require_samples(NAME, root, split, samples, layout)
    return SegmentationDataset(NAME, split, space, samples)


def _named_images(folder: Path) -> list[tuple[str, Path]]:
    named: dict[str, Path] = {}
    for path in sorted(find_files(folder, "**/*")):
        if path.suffix.lower() in IMAGE_ENDINGS:
            name = path.relative_to(folder).with_suffix("").as_posix()
            if name in named:
                raise UserError(
                    f"'{named[name]}' and '{path}' have the same name; rename one of them."
                )
            named[name] = path
    return list(named.items())


def _find_space(root: Path, given: LabelSpace | None) -> LabelSpace:
    path = root / SPACE_FILE
    if path.exists():
        return read_label_space(path)
    if given is None:
        raise UserError(
            f"'{path}' is not there; write the class names into it, as in "
            '{"names": ["road", "car"]}.'
        )
    return dataclasses.replace(
        given,
        raw_ids=tuple(range(given.num_classes)),
        ignored_raw_ids=(given.ignore,),
        merged_raw_ids={},
        void_raw_id=given.ignore,
    )
