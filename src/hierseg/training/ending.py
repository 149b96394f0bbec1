"""How a run can end before its last epoch, other than by a failure of its data."""

from __future__ import annotations

import torch

from hierseg.processes import sum_over_processes
from hierseg.training.checkpoints import Checkpoints
from hierseg.training.signals import RunEnded
from hierseg.training.state import Progress


def agree(flags: list[bool], device: torch.device) -> list[bool]:
    """For each flag whether it is set on any process: all must do the same at the same step."""
    return sum_over_processes(torch.tensor(flags, device=device).int()).bool().tolist()


def end_if_lost(progress: Progress, checkpoints: Checkpoints, longest_row: int) -> None:
    """End a run that has gone so many steps in a row without a finite loss and gradient.

    Raises:
        RunEnded: Naming the last good checkpoint: none is written within such a row.
    """
    if progress.skipped_in_row < longest_row:
        return
    found = checkpoints.list()
    last = f"the last good checkpoint is {found[0].path}" if found else "there is no checkpoint yet"
    raise RunEnded(
        f"loss or gradient was not finite in {longest_row} steps in a row, up to step "
        f"{progress.step}; {last}; give a lower --optim.lr, or --optim.clip-norm 1, to a new run."
    )
