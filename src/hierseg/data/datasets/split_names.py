"""Which splits a data set has."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from hierseg.data.catalog import available_datasets
from hierseg.data.datasets.cityscapes import SPLITS as CITYSCAPES_SPLITS
from hierseg.data.described.dataset import is_description, list_described

NEEDED = ("train", "val")


class SplitNames(NamedTuple):
    """Splits by name.

    Attributes:
        needed: Those that training cannot do without, or that a description promises.
        optional: Those that a copy of the data may lack.
    """

    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()


def list_splits(name: str, root: Path | None) -> SplitNames:
    """The splits of a data set by name or description; UserError where that cannot be read.

    Whether the splits have images, and whether there is such a data set, ``open_dataset`` says.
    """
    if is_description(name):
        return SplitNames(list_described(Path(name), root) or NEEDED)
    if name == "folder":
        parts = root / "images" if root is not None else None
        if parts is None or not parts.is_dir():
            return SplitNames(NEEDED)
        found = sorted(path.name for path in parts.iterdir() if path.is_dir())
        return SplitNames(NEEDED, tuple(split for split in found if split not in NEEDED))
    others = CITYSCAPES_SPLITS if name == "cityscapes" else (*NEEDED, "test")
    if name not in available_datasets():
        return SplitNames(NEEDED)
    return SplitNames(NEEDED, tuple(split for split in others if split not in NEEDED))
