"""Data sets by name."""

from __future__ import annotations

from pathlib import Path

from hierseg.data.base import SegmentationDataset, require_labels
from hierseg.data.camvid import open_camvid
from hierseg.data.cityscapes import open_cityscapes
from hierseg.data.folder import open_folder
from hierseg.errors import UsageError
from hierseg.labels import LabelSpace

_OPENERS = {"cityscapes": open_cityscapes, "camvid": open_camvid}


def available_datasets() -> list[str]:
    """Names that ``open_dataset`` knows."""
    return sorted([*_OPENERS, "folder"])


def open_dataset(
    name: str,
    root: Path | None,
    split: str,
    label_space: LabelSpace | None = None,
    keep_unpaired: bool = False,
) -> SegmentationDataset:
    """A split of a data set.

    Args:
        name: One of ``available_datasets()``.
        root: The folder that holds the data set.
        split: One of the data set's splits.
        label_space: Classes of a ``folder`` without a ``labels.json``; the others have their own.
        keep_unpaired: Keep samples whose label map is missing, which is an error else.

    Raises:
        UsageError: Where there is no such data set or split, or no root was given.
        UserError: Where the root does not hold it.
    """
    dataset = _open(name, root, split, label_space)
    if not keep_unpaired:
        require_labels(dataset.samples)
    return dataset


def _open(
    name: str, root: Path | None, split: str, label_space: LabelSpace | None
) -> SegmentationDataset:
    if name == "folder":
        return open_folder(root, split, label_space)
    if name not in _OPENERS:
        raise UsageError(
            f"there is no data set '{name}'; there are {', '.join(available_datasets())}."
        )
    return _OPENERS[name](root, split)
