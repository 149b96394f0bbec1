"""The images that `hierseg predict` segments: sources, or a data set."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hierseg.errors import UsageError, make_printable

if TYPE_CHECKING:
    from hierseg.data import SegmentationDataset
    from hierseg.engines import Engine
    from hierseg.labels import LabelSpace
    from hierseg.media import Sources
    from hierseg.models import SegmentationNetwork


@dataclass(frozen=True)
class DatasetFlags:
    """A data set to segment instead of sources."""

    data: str | None = None
    """Segment a data set instead of sources: its name, or a file that describes it."""
    root: Path | None = None
    """Folder of the data set; not needed for a description file that names its own."""
    split: str = "val"
    """Split to segment."""
    cv: int = 0
    """Cross-validation split of cityscapes (0 is the standard one) or kitti."""


NO_DATASET = DatasetFlags()


def choose_images(
    sources: tuple[str, ...], out: Path, flags: DatasetFlags
) -> tuple[Sources, SegmentationDataset | None]:
    """The images, and the data set if one is named. Paths are checked before torch is imported, so
    that a mistyped path fails soon.

    Raises:
        UsageError: Both or neither are named, or there is no such data set.
        UserError: The folder does not hold the data set.
    """
    from hierseg.media import Sources, find_sources

    if flags.data is None:
        if flags.root is not None:
            raise UsageError("--root is a data set's folder; name the data set with --data.")
        for flag, value in (("split", flags.split), ("cv", flags.cv)):
            if value != getattr(NO_DATASET, flag):
                raise UsageError(f"--{flag} is for a data set; name the data set with --data.")
        return find_sources(sources, exclude=out), None
    if sources:
        raise UsageError("give either images, or a data set with --data.")
    from hierseg.data import DataOptions, open_dataset

    # Images alone are asked for, so a label map may be missing.
    options = DataOptions(cv=flags.cv)
    dataset = open_dataset(flags.data, flags.root, flags.split, keep_unpaired=True, options=options)
    return Sources([sample.image for sample in dataset.samples]), dataset


def choose_space(
    network: SegmentationNetwork | Engine, dataset: SegmentationDataset | None
) -> LabelSpace | None:
    """The data set's ids and colours if its classes are the network's; otherwise the network's own,
    and a line on standard error says so.
    """
    from hierseg.checkpoint import header_of

    if dataset is None:
        return None
    own = header_of(network).label_space
    if own.names == dataset.label_space.names:
        return dataset.label_space
    said = (
        f"the weights know the classes of {own.name}, not those of {dataset.name}: labels, ids and "
        f"colours are those of {own.name}."
    )
    print(make_printable(said), file=sys.stderr)
    return own


def describe_dataset(dataset: SegmentationDataset) -> dict[str, str]:
    """The summary's entries about a data set; ``split_note`` is empty for a standard split."""
    return {"data": dataset.name, "split": dataset.split, "split_note": dataset.note}
