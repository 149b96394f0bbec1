"""Whether a class that no pixel has is hidden behind an id that counts as no class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from hierseg.data.base import SegmentationDataset
from hierseg.data.checking.report import SplitReport
from hierseg.data.described.dataset import is_description

TRAINING = "train"
SHOWN = 5


def explain_absent(
    name: str, splits: Sequence[SplitReport], datasets: Sequence[SegmentationDataset]
) -> str | None:
    """The sentence about ids that count as no class, where a class lacks pixels altogether.

    Masks of 0 and 255, say, for two classes: 255 is ignored unless a description says otherwise,
    and the second class has no pixel.

    Args:
        name: Of the data set.
        splits: What was found in each split.
        datasets: The splits, in the same order.
    """
    labelled = [split for split in splits if split.labelled]
    if not labelled:
        return None
    first = datasets[splits.index(labelled[0])]
    pixels = np.sum([split.pixels for split in labelled], axis=0)
    absent = [own for own, count in zip(labelled[0].names, pixels, strict=True) if not count]
    is_all = any(split.split == TRAINING for split in labelled)
    ignored, unknown = _sum(labelled, "ignored_ids"), _sum(labelled, "unknown")
    is_hopeless = len(absent) == len(pixels) - 1  # one class alone is nothing to tell apart
    hidden = Counter[int]()
    if is_description(name):
        hidden += unknown
    if is_hopeless or (first.ignore_is_assumed and is_all):
        hidden += ignored
    if not absent or not hidden:
        return None
    total = int(pixels.sum()) + sum(ignored.values()) + sum(unknown.values())
    shares = ", ".join(
        f"id {raw} has {100 * count / total:.3g} %" for raw, count in hidden.most_common(SHOWN)
    )
    return (
        f"{_name(absent)} no pixel, while {shares}; {_describe_cure(name, absent, hidden, first)}."
    )


def _sum(splits: Sequence[SplitReport], kind: str) -> Counter[int]:
    counts = Counter[int]()
    for split in splits:
        counts += getattr(split, kind)
    return counts


def _name(absent: list[str]) -> str:
    shown = ", ".join(absent[:SHOWN]) + (", ..." if len(absent) > SHOWN else "")
    return f"class {shown} has" if len(absent) == 1 else f"classes {shown} have"


def _describe_cure(
    name: str, absent: list[str], hidden: Counter[int], dataset: SegmentationDataset
) -> str:
    raw = hidden.most_common(1)[0][0]
    if not is_description(name):
        return "label maps of this data set hold other ids"
    line = f"write `id: {raw}` in the line of " + (
        absent[0] if len(absent) == 1 else "the class that it is of"
    )
    ignored = raw in dataset.label_space.ignored_raw_ids
    if ignored and not dataset.ignore_is_assumed:
        return f"{line}, and take {raw} out of `ignore`"
    left = sorted({raw, *dataset.label_space.ignored_raw_ids})
    return f"{line}, or `ignore: {left}` if it is to be left out"
