"""Settings that would make a run fit, each with its own estimate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from hierseg.config import Experiment
from hierseg.errors import UsageError
from hierseg.planning.estimate import Estimate
from hierseg.size import Size

STEP = 32
"""Crops are multiples of the coarsest stride."""
SMALLEST = 128
"""Smallest side of an advised crop; the smaller scale sees half of it."""


class Advice(NamedTuple):
    """A change of flags, and the estimate with it."""

    flags: str
    estimate: Estimate


Estimator = Callable[[Experiment], Estimate]


def advise_training(
    experiment: Experiment, limit: int, whole: Estimate, estimate: Estimator
) -> Iterator[Advice]:
    """Changes that reduce a training step's memory, one by one, until two of them fit.

    Args:
        experiment: The experiment, which does not fit.
        limit: Memory of the device in bytes.
        whole: The experiment's estimate.
        estimate: Estimates a training step.
    """
    found = 0
    for flags, changed in _list_changes(experiment):
        possible = _estimate_possible(estimate, changed)
        if possible is None:
            continue
        advice = Advice(flags, possible)
        found += advice.estimate.total <= limit
        yield advice
        if found == 2:
            return
    smaller = _shrink(experiment, limit, whole, estimate)
    if smaller is not None:
        yield smaller


def advise_evaluation(experiment: Experiment, limit: int, estimate: Estimator) -> Iterator[Advice]:
    """Changes that reduce an evaluation's memory: fewer scales, without the largest first."""
    scales = sorted(experiment.eval.scales or ())
    while scales and scales[-1] > 1:
        scales = scales[:-1]
        changed = replace(experiment, eval=replace(experiment.eval, scales=tuple(scales)))
        shown = " ".join(f"{scale:g}" for scale in scales)
        advice = Advice(f"--eval.scales {shown}", estimate(changed))
        yield advice
        if advice.estimate.total <= limit:
            return


def _list_changes(experiment: Experiment) -> Iterator[tuple[str, Experiment]]:
    """Changes, the cheapest first: precision, recomputing, both, and both with smaller batches."""
    flags: list[str] = []
    changed = experiment
    if experiment.runtime.precision == "fp32":
        flags.append("--runtime.precision bf16")
        changed = replace(changed, runtime=replace(changed.runtime, precision="bf16"))
        yield " ".join(flags), changed
    if not experiment.model.grad_checkpoint:
        model = replace(experiment.model, grad_checkpoint=True)
        if flags:
            yield "--model.grad-checkpoint", replace(experiment, model=model)
        flags.append("--model.grad-checkpoint")
        changed = replace(changed, model=model)
        yield " ".join(flags), changed
    batch = experiment.data.batch
    while batch > 1:
        batch = math.ceil(batch / 2)
        accumulate = math.ceil(experiment.data.batch / batch) * experiment.optim.accumulate
        data = replace(experiment.data, batch=batch)
        optim = replace(experiment.optim, accumulate=accumulate)
        flag = f"--data.batch {batch} --optim.accumulate {accumulate}"
        yield flag, replace(experiment, data=data, optim=optim)


def _shrink(
    experiment: Experiment, limit: int, whole: Estimate, estimate: Estimator
) -> Advice | None:
    """A crop of the same shape that fits; None if it would be smaller than the smallest."""
    crop = experiment.data.crop
    half = _estimate_possible(estimate, _with_crop(experiment, _scale(crop, 0.5)))
    if half is None:
        return None
    growing = (whole.total - half.total) / (1 - _area(_scale(crop, 0.5)) / _area(crop))
    share = (limit - (whole.total - growing)) / growing
    while share > 0:
        smaller = _scale(crop, min(1.0, math.sqrt(share)))
        if min(smaller) < SMALLEST:
            return None
        possible = _estimate_possible(estimate, _with_crop(experiment, smaller))
        if possible is None:
            return None
        if possible.total <= limit:
            return Advice(f"--data.crop {smaller}", possible)
        share *= 0.9
    return None


def _estimate_possible(estimate: Estimator, changed: Experiment) -> Estimate | None:
    """The estimate; None if the settings cannot be trained, as a batch is too small."""
    try:
        return estimate(changed)
    except UsageError:
        return None


def _scale(crop: Size, factor: float) -> Size:
    height, width = (max(STEP, int(side * factor) // STEP * STEP) for side in crop)
    return Size(height, width)


def _area(crop: Size) -> int:
    return crop.height * crop.width


def _with_crop(experiment: Experiment, crop: Size) -> Experiment:
    return replace(experiment, data=replace(experiment.data, crop=crop))
