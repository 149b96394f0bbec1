"""Data sets by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path

from hierseg.data.archive import is_folder
from hierseg.data.base import SegmentationDataset, require_labels
from hierseg.data.datasets.camvid import open_camvid
from hierseg.data.datasets.cityscapes import open_cityscapes
from hierseg.data.datasets.folder import open_folder
from hierseg.data.datasets.kitti import open_kitti
from hierseg.data.datasets.mapillary import open_mapillary
from hierseg.data.datasets.synthetic import is_synthetic, open_synthetic
from hierseg.data.described.dataset import is_description, list_described, open_custom
from hierseg.data.joined import JOINT, JoinedDataset, list_parts
from hierseg.data.options import STANDARD, DataOptions, Labels
from hierseg.errors import UsageError
from hierseg.labels import LabelSpace
from hierseg.wording import find_nearest

_Opener = Callable[[Path | None, str, DataOptions], SegmentationDataset]

_OPENERS: dict[str, _Opener] = {
    "camvid": open_camvid,
    "cityscapes": open_cityscapes,
    "kitti": open_kitti,
    "mapillary": partial(open_mapillary, version="v1.2"),
    "mapillary-v2.0": partial(open_mapillary, version="v2.0"),
}


def available_datasets() -> list[str]:
    """Names that ``open_dataset`` knows, besides files that describe data."""
    return sorted([*_OPENERS, "folder"])


def open_dataset(
    name: str | Path,
    root: str | Path | None = None,
    split: str = "val",
    label_space: LabelSpace | None = None,
    keep_unpaired: bool = False,
    options: DataOptions = STANDARD,
) -> SegmentationDataset:
    """A split of a data set.

    Args:
        name: camvid, cityscapes, folder, kitti, mapillary, mapillary-v2.0, or the path of a .yaml,
            .yml or .json file that describes your own data.
        root: The folder that holds the data set; None takes the one that a description names.
        split: One of the data set's splits, or several as one: ``train+val``.
        label_space: Classes of a ``folder`` without a ``labels.json``; the others have their own.
        keep_unpaired: Keep samples whose label map is missing; otherwise they are an error.
        options: Cross-validation and kinds of labels, for data sets that have them.

    Returns:
        The split: ``len(dataset)`` samples, ``dataset.read(index)`` with ``image`` and ``labels``,
        and ``dataset.label_space``.

    Raises:
        UsageError: There is no such data set or split, or no root was given.
        UserError: The root does not hold the data set, or its description is wrong.

    Example:
        dataset = hierseg.open_dataset("cityscapes", "data/cityscapes", "val")
        record = dataset.read(0)
        print(record.name, record.image.shape, dataset.label_space.names)
    """
    place = None if root is None else Path(root)
    if JOINT in str(split) and not _is_literal(str(name), place, split):
        parts = [
            open_dataset(name, place, part, label_space, keep_unpaired, options)
            for part in list_parts(split)
        ]
        return JoinedDataset(parts)
    dataset = _open(str(name), place, split, label_space, options)
    dataset.palette = dataset.palette or options.palette
    if not keep_unpaired and dataset.has_files:
        require_labels(dataset.samples)
    return dataset


def open_extra(
    name: str, root: Path | None, labels: Labels, options: DataOptions = STANDARD
) -> SegmentationDataset:
    """The extra source of a data set: Cityscapes' ``train_extra`` with coarse or auto-labels.

    Crops of it are taken for the classes of ``options.rules.boosted_classes`` alone.
    """
    options = dataclasses.replace(options, cv=0, labels=labels)
    dataset = open_dataset(name, root, "train_extra", options=options)
    dataset.boosted_classes = frozenset(options.rules.boosted_classes)
    return dataset


def _is_literal(name: str, root: Path | None, split: str) -> bool:
    """Whether data of a user's own have a split of just this name, or take any name."""
    if is_description(name):
        return split in list_described(Path(name), root)
    if name != "folder" or root is None:
        return False
    return is_folder(root / "images" / split) or not is_folder(root / "images")


def _open(
    name: str,
    root: Path | None,
    split: str,
    label_space: LabelSpace | None,
    options: DataOptions,
) -> SegmentationDataset:
    if is_description(name):
        return open_custom(Path(name), root, split, options)
    if is_synthetic(name):
        return open_synthetic(name, root, split, options)
    if name == "folder":
        options.require_plain(name)
        return open_folder(root, split, label_space)
    if name not in _OPENERS:
        near = find_nearest(name, available_datasets())
        hint = f"; did you mean '{near}'?" if near else ""
        raise UsageError(
            f"there is no data set '{name}'; there are {', '.join(available_datasets())}, and "
            f"files (.yaml, .json) that describe your own{hint or '.'}"
        )
    return _OPENERS[name](root, split, options)
