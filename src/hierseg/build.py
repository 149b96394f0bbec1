"""From configuration to constructors: the one bridge between the two.

``check_experiment`` refuses what cannot work, with the flag that cures it; the ``build_*``
functions make the parts of a run from an experiment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from hierseg.config import DataConfig, Experiment, LossConfig, OptimConfig
from hierseg.data import (
    DataOptions,
    ExtraRules,
    SegmentationDataset,
    Statistics,
    TrainingTransform,
    is_description,
    open_dataset,
    open_extra,
    resize_dataset,
)
from hierseg.errors import UsageError
from hierseg.labels import CITYSCAPES, LabelSpace
from hierseg.losses import (
    BoundaryRelaxedLoss,
    CombinedLoss,
    Criterion,
    CrossEntropy,
    ImageWeightedCrossEntropy,
    RegionMutualInformation,
)
from hierseg.models import SegmentationNetwork, create_model

SMALLEST_SIDE = 32
"""Pixels a network needs in height and width at its smallest scale."""
COARSEST_STRIDE = 32
FEWEST_VALUES = 4
"""Values of a channel over a batch, in the coarsest features, that batch norm needs to be sane."""


class Datasets(NamedTuple):
    """What a run reads.

    Attributes:
        train: The split that is trained on.
        val: The split that is evaluated on.
        extra: Sources that join the training split for some classes alone.
    """

    train: SegmentationDataset
    val: SegmentationDataset
    extra: tuple[SegmentationDataset, ...] = ()


def choose_device(name: str, flag: str = "--runtime.device") -> torch.device:
    """``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:1"`` as a device that this machine has."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"'{name}' is not a device; give {flag} auto, cpu or cuda.") from error
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"hierseg does not run on '{name}'; give {flag} cpu or cuda.")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"this machine has no usable GPU; give {flag} cpu.")
    return device


def check_experiment(experiment: Experiment) -> None:
    """Refuse impossible settings with the flag that cures them, before anything is built."""
    _check_data(experiment.data)
    _check_optim(experiment.optim)
    _check_loss(experiment.loss)
    if experiment.model.train_scales is not None:
        check_scales(experiment.model.train_scales, "--model.train-scales")
    if experiment.eval.scales is not None:
        check_scales(experiment.eval.scales, "--eval.scales")
    _check_runtime(experiment)


def _refuse_if(condition: bool, message: str) -> None:
    if condition:
        raise UsageError(message)


def _check_data(data: DataConfig) -> None:
    _refuse_if(
        data.root is None and not is_description(data.name),
        "no data to train on; name their folder with --data.root DIR.",
    )
    _refuse_if(
        data.long_edge is not None and data.long_edge < SMALLEST_SIDE,
        f"a long edge of {data.long_edge} is too small; give --data.long-edge {SMALLEST_SIDE} or "
        "more.",
    )
    _refuse_if(
        data.val_crop is not None and min(data.val_crop) < SMALLEST_SIDE,
        f"--data.val-crop {data.val_crop} has a side under {SMALLEST_SIDE} pixels; give more.",
    )
    _refuse_if(
        not 0 < data.scale_min <= data.scale_max,
        f"random scales from {data.scale_min:g} to {data.scale_max:g} are no range; "
        "give 0 < --data.scale-min <= --data.scale-max.",
    )
    _refuse_if(
        not 0 <= data.flip <= 1,
        f"{data.flip:g} is not a probability; give --data.flip from 0 to 1.",
    )
    _refuse_if(
        not 0 <= data.color_jitter <= 0.5,
        f"a colour jitter of {data.color_jitter:g} is out of range; "
        "give --data.color-jitter from 0 to 0.5.",
    )
    _refuse_if(
        not 0 <= data.class_uniform <= 1,
        f"a share of {data.class_uniform:g} cannot be; give --data.class-uniform from 0 to 1.",
    )
    _refuse_if(
        data.class_uniform_tile < 1,
        f"a tile of {data.class_uniform_tile} has no pixels; give --data.class-uniform-tile 1 or "
        "more.",
    )
    _refuse_if(
        data.extra_until is not None and data.extra_until < 0,
        "give --data.extra-until 0 or more epochs.",
    )
    _refuse_if(data.batch < 1, f"a batch of {data.batch} is empty; give --data.batch 1 or more.")
    _refuse_if(
        data.workers < 0, f"{data.workers} workers cannot be; give --data.workers 0 or more."
    )


def _check_optim(optim: OptimConfig) -> None:
    for flag, value, fine, range_ in (
        ("--optim.lr", optim.lr, optim.lr > 0, "above 0"),
        ("--optim.trunk-lr-factor", optim.trunk_lr_factor, optim.trunk_lr_factor >= 0, "0 or more"),
        ("--optim.momentum", optim.momentum, 0 <= optim.momentum < 1, "from 0 to below 1"),
        ("--optim.weight-decay", optim.weight_decay, optim.weight_decay >= 0, "0 or more"),
        ("--optim.epochs", optim.epochs, optim.epochs >= 1, "1 or more"),
        ("--optim.poly-exponent", optim.poly_exponent, optim.poly_exponent >= 0, "0 or more"),
        ("--optim.warmup-steps", optim.warmup_steps, optim.warmup_steps >= 0, "0 or more"),
        ("--optim.ema-decay", optim.ema_decay, 0 <= optim.ema_decay < 1, "from 0 to below 1"),
    ):
        _refuse_if(not fine, f"{flag} {value} is out of range; give one {range_}.")


def _check_loss(loss: LossConfig) -> None:
    for flag, value in (
        ("--loss.auxiliary-weight", loss.auxiliary_weight),
        ("--loss.per-scale-weight", loss.per_scale_weight),
        ("--loss.weight-bound", loss.weight_bound),
        ("--loss.relax-until", loss.relax_until or 0),
    ):
        fine = 0 <= value < math.inf
        _refuse_if(not fine, f"{flag} {value:g} is out of range; give one 0 or more.")
    relaxed, weighted = "boundary_relaxed", "image_weighted"
    for flag, given, owners in (
        ("--loss.auxiliary-rmi", loss.auxiliary_rmi, ("rmi",)),
        ("--loss.weight-bound", loss.weight_bound != 1, (weighted, relaxed)),
        ("--loss.weighting", loss.weighting != "share", (weighted,)),
        ("--loss.strict-border-classes", bool(loss.strict_border_classes), (relaxed,)),
        ("--loss.relax-until", loss.relax_until is not None, (relaxed,)),
    ):
        _refuse_if(
            given and loss.main not in owners,
            f"{flag} says nothing to the loss '{loss.main}'; leave it out or give "
            f"--loss.main {' or '.join(owners)}.",
        )


def check_scales(scales: Sequence[float], flag: str) -> None:
    """Refuse a set of scales that hierarchical fusion cannot run (METHOD section 2)."""
    shown = " ".join(f"{scale:g}" for scale in scales) or "none"
    _refuse_if(
        1.0 not in scales, f"the scales ({shown}) must include 1; give for example {flag} 0.5 1."
    )
    _refuse_if(
        not all(0 < scale < math.inf for scale in scales),
        f"the scales ({shown}) must be above 0; change {flag}.",
    )
    _refuse_if(len(set(scales)) < len(scales), f"the scales ({shown}) repeat one; change {flag}.")


def _check_runtime(experiment: Experiment) -> None:
    runtime = experiment.runtime
    device = choose_device(runtime.device)
    _refuse_if(runtime.out is None, "no folder for the run; name one with --runtime.out DIR.")
    _refuse_if(
        runtime.precision == "fp16" and device.type == "cpu",
        "fp16 does not train on a CPU; give --runtime.precision bf16 (or fp32).",
    )
    _refuse_if(runtime.log_every < 1, "give --runtime.log-every 1 or more.")
    _refuse_if(experiment.eval.every < 1, "give --eval.every 1 or more.")


def build_network(
    experiment: Experiment, label_space: LabelSpace, statistics: Statistics | None = None
) -> SegmentationNetwork:
    """The experiment's network with one output for each class of the label space.

    ``statistics`` are what it normalises by; None leaves it its trunk's own.
    """
    model, crop = experiment.model, experiment.data.crop
    chosen = {"train_scales": model.train_scales, "scales": experiment.eval.scales}
    given = {name: scales for name, scales in chosen.items() if scales is not None}
    given |= {} if statistics is None else statistics._asdict()
    network = create_model(model.name, label_space.num_classes, model.from_imagenet, **given)
    smallest = min(network.train_scales)
    height, width = (int(side * smallest) for side in crop)
    _refuse_if(
        min(height, width) < SMALLEST_SIDE,
        f"a crop of {crop} at scale {smallest:g} has a side under {SMALLEST_SIDE} pixels; "
        "give a larger --data.crop.",
    )
    pixels = math.ceil(height / COARSEST_STRIDE) * math.ceil(width / COARSEST_STRIDE)
    _refuse_if(
        experiment.data.batch * pixels < FEWEST_VALUES,
        f"a batch of {experiment.data.batch} crops of {crop} at scale {smallest:g} is too little "
        "for batch norm; give a larger --data.batch or --data.crop.",
    )
    return network


def build_criterion(
    experiment: Experiment, label_space: LabelSpace, align_corners: bool = False
) -> CombinedLoss:
    """The training loss: main, auxiliary and per-scale terms.

    ``align_corners`` is the network's own: the logits of a scale are resized as it resizes.
    """
    loss = experiment.loss
    return CombinedLoss(
        _build_main_criterion(loss, label_space),
        auxiliary_weight=loss.auxiliary_weight,
        per_scale_weight=loss.per_scale_weight,
        auxiliary_by_main=loss.auxiliary_rmi,
        align_corners=align_corners,
    )


def _build_main_criterion(loss: LossConfig, label_space: LabelSpace) -> Criterion:
    ignore = label_space.ignore
    if loss.main == "rmi":
        return RegionMutualInformation(ignore)
    if loss.main == "image_weighted":
        return ImageWeightedCrossEntropy(ignore, loss.weight_bound, loss.weighting)
    if loss.main == "boundary_relaxed":
        return BoundaryRelaxedLoss(
            ignore,
            strict=label_space.find(loss.strict_border_classes, "--loss.strict-border-classes"),
            bound=loss.weight_bound,
            relax_until=loss.relax_until,
        )
    return CrossEntropy(ignore)


def build_datasets(experiment: Experiment) -> Datasets:
    """The splits that are trained and evaluated on; UserError where there are too few images."""
    data = experiment.data
    options = build_options(data)
    train = open_dataset(data.name, data.root, data.train_split, options=options)
    held_out = DataOptions(cv=data.cv)
    val = open_dataset(data.name, data.root, data.val_split, options=held_out)
    _refuse_if(
        len(train) < data.batch,
        f"split '{data.train_split}' of {data.root or data.name} has {len(train)} images, fewer "
        f"than a batch; give --data.batch {max(1, len(train))} or less.",
    )
    val = resize_dataset(val, data.long_edge, data.val_crop)
    if data.extra == "none":
        return Datasets(train, val)
    return Datasets(train, val, (open_extra(data.name, data.root, data.extra, options),))


def build_options(data: DataConfig) -> DataOptions:
    """What the training split is asked for; the rules are Cityscapes', which alone has others."""
    boosted = CITYSCAPES.find(data.boost_classes, "--data.boost-classes")
    from_coarse = CITYSCAPES.find(data.from_coarse, "--data.from-coarse")
    rules = ExtraRules(data.auto_threshold, tuple(from_coarse), data.mask_outer, tuple(boosted))
    return DataOptions(data.cv, data.labels, rules)


def build_transform(experiment: Experiment, label_space: LabelSpace) -> TrainingTransform:
    """The augmentation of training samples."""
    data = experiment.data
    return TrainingTransform(
        crop=data.crop,
        scale_min=data.scale_min,
        scale_max=data.scale_max,
        flip=data.flip,
        color_jitter=data.color_jitter,
        long_edge=data.long_edge,
        ignore=label_space.ignore,
    )
