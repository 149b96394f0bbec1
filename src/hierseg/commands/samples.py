"""`hierseg samples RECIPE`: write what the network would see in training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hierseg.commands.places import check_training
from hierseg.config import Experiment
from hierseg.errors import UsageError, make_printable
from hierseg.wording import count


@dataclass(frozen=True)
class SampleFlags:
    """Flags of `hierseg samples` besides those of training."""

    out: Path
    """Folder for legend.json and the pictures, which show image and labels side by side."""
    count: int = 16
    """Number of samples to write, the first ones of the epoch."""
    epoch: int = 1
    """Epoch to write samples of; each epoch draws its own."""
    overwrite: bool = False
    """Also replace files that no earlier run of this command wrote."""


def samples(experiment: Experiment, flags: SampleFlags) -> None:
    """Write the first samples of an epoch as training would load them, after augmentation."""
    from hierseg.commands.progress import announce, show_progress

    if flags.count < 1:
        raise UsageError(f"--count {flags.count} leaves no samples; give 1 or more.")
    if flags.epoch < 1:
        raise UsageError(f"there is no epoch {flags.epoch}; give --epoch 1 or more.")
    check_training(experiment)
    with announce("loading torch"):
        from hierseg.training import write_samples

    with show_progress("drawing samples") as on_progress:
        paths = write_samples(
            experiment, flags.out, flags.count, flags.epoch - 1, on_progress, flags.overwrite
        )
    are = "is" if len(paths) == 1 else "are"
    print(make_printable(f"{count(len(paths), 'sample')} {are} in {flags.out}"))
