"""`hierseg samples RECIPE`: write what the network would see in training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hierseg.config import Experiment
from hierseg.errors import UsageError


@dataclass(frozen=True)
class SampleFlags:
    """What is written, beside the flags of training."""

    out: Path
    """Folder for the pictures, image and labels side by side, and for legend.json."""
    count: int = 16
    """Samples that are written: the first so many of the epoch."""
    epoch: int = 1
    """Epoch whose samples these are; each draws anew."""
    overwrite: bool = False
    """Replace files that no earlier run of this command has written."""


def samples(experiment: Experiment, flags: SampleFlags) -> None:
    """Write the first samples of an epoch as training would load them, with its augmentation."""
    from hierseg.commands.progress import show_progress
    from hierseg.training.samples import write_samples

    if flags.count < 1:
        raise UsageError(f"--count {flags.count} leaves no samples; give 1 or more.")
    if flags.epoch < 1:
        raise UsageError(f"there is no epoch {flags.epoch}; give --epoch 1 or more.")
    with show_progress("drawing samples") as on_progress:
        paths = write_samples(
            experiment, flags.out, flags.count, flags.epoch - 1, on_progress, flags.overwrite
        )
    print(f"{len(paths)} samples are in {flags.out}")
