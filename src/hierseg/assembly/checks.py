"""Checks of settings before anything is built; errors name the flag that cures them."""

from __future__ import annotations

import math

from hierseg.assembly.devices import check_training_scales, choose_device
from hierseg.config import (
    LABEL_RULES,
    LOSSES_WITH,
    DataConfig,
    DistillConfig,
    Experiment,
    LossConfig,
    OptimConfig,
)
from hierseg.data import RandAugment, is_description, is_synthetic
from hierseg.errors import UsageError
from hierseg.size import SMALLEST_SIDE

MOST_SEEDS = 2**63

MOST_ENLARGED = 8
"""Largest factor that an image's sides may be resized by; a larger one is a typing error."""


def check_experiment(experiment: Experiment) -> None:
    """Refuse impossible settings with the flag that cures them, before anything is built."""
    _check_data(experiment.data)
    _check_optim(experiment.optim)
    _check_loss(experiment.loss)
    _check_distill(experiment.distill)
    if experiment.model.train_scales is not None:
        check_training_scales(experiment.model.train_scales, "--model.train-scales")
    if experiment.eval.scales is not None:
        check_training_scales(experiment.eval.scales, "--eval.scales")
    refuse_if(
        experiment.model.compile and experiment.model.grad_checkpoint,
        "torch cannot compile blocks that are recomputed in the backward pass; leave "
        "--model.compile or --model.grad-checkpoint out.",
    )
    _check_runtime(experiment)


def refuse_if(condition: bool, message: str) -> None:
    """UsageError with the message where the condition holds."""
    if condition:
        raise UsageError(message)


def _check_data(data: DataConfig) -> None:
    refuse_if(
        data.root is None and not is_description(data.name) and not is_synthetic(data.name),
        "no data to train on; name their folder with --data.root DIR.",
    )
    _check_sizes(data)
    refuse_if(
        not 0 < data.scale_min <= data.scale_max < math.inf,
        f"random scales from {data.scale_min:g} to {data.scale_max:g} are no range; "
        "give 0 < --data.scale-min <= --data.scale-max.",
    )
    for flag, chance in (("--data.flip", data.flip), ("--data.degrade", data.degrade)):
        refuse_if(
            not 0 <= chance <= 1, f"{chance:g} is not a probability; give {flag} from 0 to 1."
        )
    refuse_if(
        not 0 <= data.color_jitter <= 0.5,
        f"a colour jitter of {data.color_jitter:g} is out of range; "
        "give --data.color-jitter from 0 to 0.5.",
    )
    if data.rand_augment is not None:
        RandAugment.parse(data.rand_augment)
    _check_sampling(data)
    _check_also(data)
    _check_labels(data)


def _check_sizes(data: DataConfig) -> None:
    for flag, what, edge in (
        ("--data.long-edge", "long", data.long_edge),
        ("--data.short-edge", "short", data.short_edge),
        ("--data.val-short-edge", "short", data.val_short_edge),
    ):
        refuse_if(
            edge is not None and edge < SMALLEST_SIDE,
            f"a {what} edge of {edge} is too small; give {flag} {SMALLEST_SIDE} or more.",
        )
    refuse_if(
        not 0 < data.enlarge <= MOST_ENLARGED,
        f"images cannot be resized by {data.enlarge:g}; give --data.enlarge above 0, up to "
        f"{MOST_ENLARGED}.",
    )
    given = [
        flag
        for flag, is_given in (
            ("--data.enlarge", data.enlarge != 1),
            ("--data.long-edge", data.long_edge is not None),
            ("--data.short-edge", data.short_edge is not None),
        )
        if is_given
    ]
    refuse_if(
        len(given) > 1, f"{' and '.join(given[:2])} both say how large images are; leave one out."
    )
    refuse_if(
        data.val_crop is not None and min(data.val_crop) < SMALLEST_SIDE,
        f"--data.val-crop {data.val_crop} has a side under {SMALLEST_SIDE} pixels; give more.",
    )


def _check_sampling(data: DataConfig) -> None:
    refuse_if(
        not 0 <= data.class_uniform <= 1,
        f"a share of {data.class_uniform:g} cannot be; give --data.class-uniform from 0 to 1.",
    )
    refuse_if(
        data.class_uniform_tile < 1,
        f"a tile of {data.class_uniform_tile} has no pixels; give --data.class-uniform-tile 1 or "
        "more.",
    )
    refuse_if(
        data.extra_until is not None and data.extra_until < 0,
        "give --data.extra-until 0 or more epochs.",
    )
    refuse_if(data.batch < 1, f"a batch of {data.batch} is empty; give --data.batch 1 or more.")
    refuse_if(data.workers < 0, f"{data.workers} workers cannot be; give --data.workers 0 or more.")


def _check_propagated(data: DataConfig) -> None:
    """Refuse rules of propagated frames that cannot be, or have none to act on."""
    joins = data.extra == "propagated" or data.extra_step is not None
    refuse_if(
        data.extra_step is not None and data.extra_step < 1,
        f"--data.extra-step {data.extra_step} is no frame beside a labelled one; give 1 or more.",
    )
    refuse_if(
        data.extra == "none" and data.extra_step is not None and not data.propagated_if_found,
        "--data.extra-step is for propagated frames; add --data.extra propagated, or leave it out.",
    )
    refuse_if(
        not joins and data.propagated_root is not None,
        "--data.propagated-root is for propagated frames; add --data.extra propagated, or leave it "
        "out.",
    )
    refuse_if(
        joins and data.class_uniform == 0 and not data.propagated_if_found,
        "propagated frames are for crops around classes alone; give --data.class-uniform above 0, "
        "or leave them out with --data.extra none.",
    )


def _check_also(data: DataConfig) -> None:
    """Refuse a share of another data set that cannot be, or settings of it where there is none."""
    refuse_if(
        not 0 < data.also_share < 1,
        f"a share of {data.also_share:g} cannot be; give --data.also-share above 0 and below 1.",
    )
    if data.also is None:
        for flag, given in (
            ("--data.also-root", data.also_root is not None),
            ("--data.also-split", data.also_split != DataConfig.also_split),
            ("--data.also-share", data.also_share != DataConfig.also_share),
        ):
            refuse_if(
                given, f"{flag} is of another data set; name it with --data.also, or leave it out."
            )
        return
    refuse_if(
        is_synthetic(data.also),
        "made up images are to time training, not to learn from; give --data.also data that exist.",
    )
    refuse_if(
        data.also_root is None and not is_description(data.also),
        f"no folder of '{data.also}'; name it with --data.also-root DIR.",
    )


def _check_labels(data: DataConfig) -> None:
    """Refuse rules of coarse and auto-labels that cannot be, or have none to act on."""
    _check_propagated(data)
    is_fine = data.extra == "none" and data.labels == "fine"
    plain = DataConfig()
    for name in LABEL_RULES:
        flag = f"--data.{name.replace('_', '-')}"
        refuse_if(
            getattr(data, name) != getattr(plain, name) and is_fine,
            f"{flag} has no effect on fine labels; leave it out, or add --data.extra auto (or "
            "coarse).",
        )
    refuse_if(
        not 0 <= data.auto_threshold <= 1,
        f"--data.auto-threshold {data.auto_threshold:g} cannot be; give a number from 0 to 1.",
    )


def _check_optim(optim: OptimConfig) -> None:
    for flag, value, fine, range_ in (
        ("--optim.lr", optim.lr, optim.lr > 0, "above 0"),
        ("--optim.trunk-lr-factor", optim.trunk_lr_factor, optim.trunk_lr_factor >= 0, "0 or more"),
        ("--optim.momentum", optim.momentum, 0 <= optim.momentum < 1, "from 0 to below 1"),
        ("--optim.weight-decay", optim.weight_decay, optim.weight_decay >= 0, "0 or more"),
        ("--optim.epochs", optim.epochs, optim.epochs >= 1, "1 or more"),
        ("--optim.poly-exponent", optim.poly_exponent, optim.poly_exponent >= 0, "0 or more"),
        ("--optim.turn", optim.turn, optim.turn >= 0, "0 or more"),
        ("--optim.turn-exponent", optim.turn_exponent, optim.turn_exponent >= 0, "0 or more"),
        ("--optim.rescale", optim.rescale, optim.rescale > 0, "above 0"),
        ("--optim.clip-norm", optim.clip_norm, optim.clip_norm >= 0, "0 or more"),
        ("--optim.accumulate", optim.accumulate, optim.accumulate >= 1, "1 or more"),
        ("--optim.warmup-steps", optim.warmup_steps, optim.warmup_steps >= 0, "0 or more"),
        ("--optim.ema-decay", optim.ema_decay, 0 <= optim.ema_decay < 1, "from 0 to below 1"),
    ):
        refuse_if(not fine, f"{flag} {value} is out of range; give one {range_}.")
    refuse_if(
        optim.amsgrad and optim.optimizer not in ("adam", "adamw"),
        f"--optim.amsgrad has no effect on {optim.optimizer}; leave it out or give "
        "--optim.optimizer adam or adamw.",
    )


def _check_loss(loss: LossConfig) -> None:
    for flag, value in (
        ("--loss.auxiliary-weight", loss.auxiliary_weight),
        ("--loss.per-scale-weight", loss.per_scale_weight),
        ("--loss.lovasz-weight", loss.lovasz_weight),
        ("--loss.weight-bound", loss.weight_bound),
        ("--loss.relax-until", loss.relax_until or 0),
    ):
        fine = 0 <= value < math.inf
        refuse_if(not fine, f"{flag} {value:g} is out of range; give one 0 or more.")
    refuse_if(
        loss.sum_images is not None and loss.sum_images < 1,
        f"--loss.sum-images {loss.sum_images} leaves no loss; give 1 or more.",
    )
    plain = LossConfig()
    for name, owners in LOSSES_WITH.items():
        flag = f"--loss.{name.replace('_', '-')}"
        refuse_if(
            getattr(loss, name) != getattr(plain, name) and loss.main not in owners,
            f"{flag} has no effect on the loss '{loss.main}'; leave it out or give "
            f"--loss.main {' or '.join(owners)}.",
        )


def _check_distill(distill: DistillConfig) -> None:
    refuse_if(
        not 0 < distill.temperature < math.inf,
        f"--distill.temperature {distill.temperature:g} is out of range; give one above 0.",
    )
    refuse_if(
        not 0 <= distill.weight < math.inf,
        f"--distill.weight {distill.weight:g} is out of range; give one 0 or more.",
    )
    refuse_if(
        not 0 <= distill.weight_bound < math.inf,
        f"--distill.weight-bound {distill.weight_bound:g} is out of range; give one 0 or more.",
    )
    refuse_if(
        distill.teacher is None and distill != DistillConfig(),
        "--distill.scales, --distill.temperature, --distill.weight and --distill.weight-bound are "
        "of a teacher; name it with --distill TEACHER, or leave them out.",
    )
    if distill.scales is not None:
        check_training_scales(distill.scales, "--distill.scales")


def _check_runtime(experiment: Experiment) -> None:
    runtime = experiment.runtime
    device = choose_device(runtime.device)
    refuse_if(
        not 0 <= runtime.seed < MOST_SEEDS,
        f"the seed {runtime.seed} cannot be; give --runtime.seed 0 or more, below 2^63.",
    )
    refuse_if(runtime.out is None, "no folder for the run; name one with --runtime.out DIR.")
    refuse_if(
        runtime.precision == "fp16" and device.type == "cpu",
        "fp16 does not train on a CPU; give --runtime.precision bf16 (or fp32).",
    )
    for flag, value, least in (
        ("--runtime.log-every", runtime.log_every, 1),
        ("--runtime.save-steps", runtime.save_steps, 0),
        ("--runtime.save-minutes", runtime.save_minutes, 0),
        ("--runtime.keep", runtime.keep, 1),
        ("--runtime.limit-batches", runtime.limit_batches, 1),
    ):
        refuse_if(value is not None and value < least, f"give {flag} {least} or more.")
    refuse_if(experiment.eval.every < 1, "give --eval.every 1 or more.")
