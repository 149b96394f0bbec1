"""Makes the parts of a run from its experiment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from hierseg.assembly.checks import refuse_if
from hierseg.assembly.extra import build_also, build_extra, build_options
from hierseg.assembly.switches import check_attention, choose_arguments, list_arguments
from hierseg.config import Experiment, LossConfig
from hierseg.data import (
    DataOptions,
    RandAugment,
    SegmentationDataset,
    Statistics,
    TrainingTransform,
    open_dataset,
    resize_dataset,
)
from hierseg.labels import LabelSpace
from hierseg.losses import (
    BoundaryRelaxedLoss,
    CombinedLoss,
    Criterion,
    CrossEntropy,
    ImageWeightedCrossEntropy,
    RegionMutualInformation,
)
from hierseg.models import STATISTICS, SegmentationNetwork, create_model
from hierseg.processes import count_processes
from hierseg.size import SMALLEST_SIDE
from hierseg.wording import count

COARSEST_STRIDE = 32
FEWEST_VALUES = 4
"""Fewest values of a channel over a batch, in the coarsest features, for a usable batch norm."""


class Datasets(NamedTuple):
    """The splits of a run.

    Attributes:
        train: The split that is trained on.
        val: The split that is evaluated on.
        extra: Sources that join the training split, for some classes only.
        also: Another data set of the same classes that a share of every epoch comes from.
    """

    train: SegmentationDataset
    val: SegmentationDataset
    extra: tuple[SegmentationDataset, ...] = ()
    also: SegmentationDataset | None = None

    @property
    def further(self) -> tuple[SegmentationDataset, ...]:
        """All that is trained on beside the training split, ``also`` last."""
        return self.extra if self.also is None else (*self.extra, self.also)


def assemble_network(
    experiment: Experiment,
    label_space: LabelSpace,
    statistics: Statistics | None = None,
    conventions: Mapping[str, Any] | None = None,
) -> SegmentationNetwork:
    """The experiment's network with one output for each class of the label space.

    ``statistics`` are the mean and standard deviation that it normalises by; None for its trunk's
    own. ``conventions`` are further builder arguments, those of the weights that it starts from;
    arguments that the builder does not take are ignored.
    """
    model = experiment.model
    chosen: dict[str, Any] = {"train_scales": model.train_scales, "scales": experiment.eval.scales}
    given = {name: scales for name, scales in chosen.items() if scales is not None}
    taken = list_arguments(model.name) | STATISTICS
    given |= {name: value for name, value in (conventions or {}).items() if name in taken}
    given |= choose_arguments(model)
    given |= {} if statistics is None else statistics._asdict()
    network = create_model(model.name, label_space.num_classes, model.from_imagenet, **given)
    check_attention(network, model)
    if not experiment.data.full_crop:  # else images are looked at when they are indexed
        _require_large(network, experiment)
    return network


def _require_large(network: SegmentationNetwork, experiment: Experiment) -> None:
    """UsageError for crops too small for the network, or a batch too small for its batch norms."""
    crop = experiment.data.crop
    smallest = min(network.train_scales)
    height, width = (int(side * smallest) for side in crop)
    refuse_if(
        min(height, width) < SMALLEST_SIDE,
        f"a crop of {crop} at scale {smallest:g} has a side under {SMALLEST_SIDE} pixels; "
        "give a larger --data.crop.",
    )
    pixels = math.ceil(height / COARSEST_STRIDE) * math.ceil(width / COARSEST_STRIDE)
    seen = experiment.data.batch * (count_processes() if experiment.runtime.sync_norm else 1)
    refuse_if(
        seen * pixels < FEWEST_VALUES,
        f"a batch of {experiment.data.batch} crops of {crop} at scale {smallest:g} is too little "
        "for batch norm; give a larger --data.batch or --data.crop.",
    )


def build_criterion(
    experiment: Experiment, label_space: LabelSpace, align_corners: bool = False
) -> CombinedLoss:
    """The training loss: main, auxiliary and per-scale terms.

    ``align_corners`` is the network's own, by which a scale's logits are resized.
    """
    loss = experiment.loss
    return CombinedLoss(
        _build_main_criterion(loss, label_space),
        auxiliary_weight=loss.auxiliary_weight,
        per_scale_weight=loss.per_scale_weight,
        lovasz_weight=loss.lovasz_weight,
        auxiliary_by_main=loss.auxiliary_rmi,
        align_corners=align_corners,
    )


def _build_main_criterion(loss: LossConfig, label_space: LabelSpace) -> Criterion:
    ignore = label_space.ignore
    if loss.main == "rmi":
        return RegionMutualInformation(ignore)
    if loss.main == "image_weighted":
        return ImageWeightedCrossEntropy(
            ignore,
            loss.weight_bound,
            loss.weighting,
            images=loss.sum_images,
            by_batch=loss.batch_weights,
        )
    if loss.main == "boundary_relaxed":
        return BoundaryRelaxedLoss(
            ignore,
            strict=label_space.find(loss.strict_border_classes, "--loss.strict-border-classes"),
            bound=loss.weight_bound,
            relax_until=loss.relax_until,
            images=loss.sum_images,
        )
    return CrossEntropy(ignore)


def build_datasets(experiment: Experiment) -> Datasets:
    """The splits to train and evaluate on; UserError if there are fewer images than a batch."""
    data = experiment.data
    options = build_options(data)
    train = open_dataset(data.name, data.root, data.train_split, options=options)
    held_out = DataOptions(cv=data.cv, palette=data.palette, size=options.size)
    val = open_dataset(data.name, data.root, data.val_split, options=held_out)
    processes = count_processes()
    each = f" of each of {processes} processes" if processes > 1 else ""
    refuse_if(
        len(train) < data.batch * processes,
        f"split '{data.train_split}' of {data.root or data.name} has "
        f"{count(len(train), 'image')}, fewer than a batch{each}; give "
        f"--data.batch {max(1, len(train) // processes)} or less.",
    )
    short_edge = data.short_edge if data.val_short_edge is None else data.val_short_edge
    val = resize_dataset(val, data.long_edge, data.val_crop, data.enlarge, short_edge)
    return Datasets(train, val, build_extra(data, train, options), build_also(data, train))


def build_transform(experiment: Experiment, label_space: LabelSpace) -> TrainingTransform:
    """The augmentation of training samples."""
    data = experiment.data
    return TrainingTransform(
        crop=None if data.full_crop else data.crop,
        scale_min=data.scale_min,
        scale_max=data.scale_max,
        flip=data.flip,
        color_jitter=data.color_jitter,
        long_edge=data.long_edge,
        enlarge=data.enlarge,
        ignore=label_space.ignore,
        blur=data.blur,
        rand_augment=None if data.rand_augment is None else RandAugment.parse(data.rand_augment),
        short_edge=data.short_edge,
        degrade=data.degrade,
    )
