"""Checks before training: that some pixel has a class, and that the warm-up ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hierseg.config import OptimConfig
from hierseg.data import Int32Array, SegmentationDataset
from hierseg.errors import UsageError, UserError
from hierseg.wording import count


def require_labelled(
    sources: Sequence[SegmentationDataset], centroids: Sequence[Int32Array]
) -> None:
    """UserError if no pixel of any source has a class, by the index of their label maps."""
    if any(len(found) for found in centroids):
        return
    first = sources[0]
    raise UserError(
        f"no pixel of split '{first.split}' of {first.name} has a class: its label maps are "
        "ignored throughout; see what ids they hold with `hierseg check`."
    )


def count_pixels(group: Sequence[Mapping[str, Any]], ignore: int) -> int:
    """Pixels of a step that have a class."""
    return sum(int((batch["labels"] != ignore).sum()) for batch in group)


def require_warm(optim: OptimConfig, steps_per_epoch: int) -> None:
    """UsageError for a warm-up that does not end within the run."""
    warmup, steps = optim.warmup_steps, optim.epochs * steps_per_epoch
    if warmup == 0 or warmup < steps:
        return
    run = f"{count(optim.epochs, 'epoch')} of {count(steps_per_epoch, 'step')}"
    raise UsageError(
        f"a warm-up of {count(warmup, 'step')} does not end within the run, which has "
        f"{count(steps, 'step')} ({run}): it would hardly learn; give --optim.epochs "
        f"{warmup // steps_per_epoch + 1} or more, or --optim.warmup-steps {steps // 4} or fewer."
    )
