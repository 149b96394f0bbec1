"""Labels beside the fine ones: their sources and their rules."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hierseg.assembly.checks import refuse_if
from hierseg.config import DataConfig
from hierseg.data import (
    FOLDER,
    DataOptions,
    ExtraRules,
    SegmentationDataset,
    count_other,
    find_auto_records,
    is_folder,
    is_synthetic,
    open_auto_labels,
    open_dataset,
    open_extra,
    open_propagated,
)
from hierseg.errors import shorten
from hierseg.labels import CITYSCAPES, LabelSpace
from hierseg.wording import count

CITY_NAME = "cityscapes"
PROPAGATED_FOLDER = "propagated"


def build_options(data: DataConfig) -> DataOptions:
    """The options of the training split; for Cityscapes the published rules unless others are
    given.
    """
    refuse_if(
        data.auto_root is not None and "auto" not in (data.extra, data.labels),
        "--data.auto-root is for auto-labels; add --data.extra auto, or leave it out.",
    )
    if data.name != CITY_NAME:
        size = data.crop if is_synthetic(data.name) else None
        return DataOptions(data.cv, data.labels, palette=data.palette, size=size)
    rules = ExtraRules(
        data.auto_threshold, mask_outer=data.mask_outer, coarse_rule=data.coarse_rule
    )
    if data.boost_classes is not None:
        boosted = CITYSCAPES.find(data.boost_classes, "--data.boost-classes")
        rules = dataclasses.replace(rules, boosted_classes=tuple(boosted))
    if data.from_coarse is not None:
        taken = CITYSCAPES.find(data.from_coarse, "--data.from-coarse")
        rules = dataclasses.replace(rules, from_coarse=tuple(taken))
    return DataOptions(data.cv, data.labels, rules, data.auto_root, data.palette)


def build_extra(
    data: DataConfig, train: SegmentationDataset, options: DataOptions
) -> tuple[SegmentationDataset, ...]:
    """The sources that join the training split: Cityscapes' ``train_extra`` as published, what
    `hierseg autolabel` has labelled of any data, and what `hierseg propagate` has made; none where
    none is asked for.
    """
    if data.extra == "none":
        return ()
    refuse_if(
        is_synthetic(data.name),
        "synthetic data have no further images; add --data.extra none.",
    )
    labelled = () if data.extra == "propagated" else _build_labelled(data, train, options)
    return (*labelled, *_build_propagated(data, train))


def build_also(data: DataConfig, train: SegmentationDataset) -> SegmentationDataset | None:
    """The other data set that a share of every epoch comes from; None where none is named.

    Raises:
        UsageError: Its classes are not those of the training split, or the share is of no image.
    """
    if data.also is None:
        return None
    also = open_dataset(data.also, data.also_root, data.also_split)
    own, other = train.label_space, also.label_space
    refuse_if(
        other.names != own.names,
        f"--data.also '{data.also}' has other classes ({_list_names(other)}) than "
        f"'{data.name}' ({_list_names(own)}); describe it in a file that has these, in this order, "
        "each with the ids that count as it (docs/datasets.md).",
    )
    refuse_if(
        other.ignore != own.ignore,
        f"'{data.also}' ignores pixels as {other.ignore}, '{data.name}' as {own.ignore}; give "
        "both one ignore.",
    )
    refuse_if(
        count_other(len(train), data.also_share) == 0,
        f"a share of {data.also_share:g} of {count(len(train), 'image')} is not one image; give a "
        "larger --data.also-share.",
    )
    return also


def _list_names(space: LabelSpace) -> str:
    return shorten(", ".join(space.names))


def _build_propagated(
    data: DataConfig, train: SegmentationDataset
) -> tuple[SegmentationDataset, ...]:
    """The propagated frames of one step, which lend crops around all classes, or those chosen."""
    if data.extra != "propagated" and data.extra_step is None:
        return ()
    refuse_if(
        data.root is None and data.propagated_root is None,
        "no folder of propagated frames; name the one that `hierseg propagate --out` wrote with "
        "--data.propagated-root.",
    )
    assert data.root is not None or data.propagated_root is not None
    folder = data.propagated_root or Path(data.root or ".") / PROPAGATED_FOLDER
    if data.propagated_if_found and not (data.class_uniform and is_folder(folder)):
        return ()
    dataset = open_propagated(folder, train, data.extra_step or 1)
    if data.boost_classes is not None and data.extra == "propagated":
        chosen = train.label_space.find(data.boost_classes, "--data.boost-classes")
        dataset.boosted_classes = frozenset(chosen)
    return (dataset,)


def _build_labelled(
    data: DataConfig, train: SegmentationDataset, options: DataOptions
) -> tuple[SegmentationDataset, ...]:
    """Coarse and auto-labels."""
    is_city = data.name == CITY_NAME
    if data.extra == "coarse":
        return (open_extra(data.name, data.root, "coarse", options),)
    folder = _find_folder(data)
    records = find_auto_records(folder)
    published = not records or any(
        (part.header.data, part.header.split) == (CITY_NAME, "train_extra") for part in records
    )
    others = sorted({p.header.split for p in records if p.header.split != "train_extra"})
    refuse_if(
        is_city and published and bool(others),
        f"'{folder}' holds auto-labels of train_extra and of {', '.join(others)}, which are read "
        "in different ways; keep them in folders of their own, and name one with --data.auto-root.",
    )
    if is_city and published:
        return (open_extra(data.name, data.root, "auto", options),)
    refuse_if(
        bool(data.from_coarse),
        "--data.from-coarse is for Cityscapes' train_extra, which has coarse labels; leave it out.",
    )
    refuse_if(
        data.coarse_rule != DataConfig.coarse_rule,
        "--data.coarse-rule is for Cityscapes' train_extra, which has coarse labels; leave it out.",
    )
    refuse_if(
        data.mask_outer,
        "--data.mask-outer is for Cityscapes' train_extra, whose frames have such edges; leave it "
        "out.",
    )
    space = train.label_space
    boosted = tuple(range(space.num_classes))
    if data.boost_classes is not None:
        boosted = tuple(space.find(data.boost_classes, "--data.boost-classes"))
    elif is_city:
        boosted = options.rules.boosted_classes
    rules = ExtraRules(data.auto_threshold, (), boosted_classes=boosted)
    return (open_auto_labels(folder, train, rules, data.root),)


def _find_folder(data: DataConfig) -> Path:
    """The folder of auto-labels; UsageError if it cannot be found."""
    if data.auto_root is not None:
        refuse_if(
            not is_folder(data.auto_root),
            f"--data.auto-root {data.auto_root} is no folder; name the one that `hierseg autolabel "
            "--out` wrote.",
        )
        return data.auto_root
    refuse_if(
        data.root is None,
        "no folder of auto-labels; name the one that `hierseg autolabel --out` wrote with "
        "--data.auto-root.",
    )
    assert data.root is not None
    return data.root / FOLDER
