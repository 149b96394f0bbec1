"""Ends runs that cannot learn, and describes the outcome of the others."""

from __future__ import annotations

from statistics import fmean

import torch

from hierseg.evaluation import Evaluation
from hierseg.processes import sum_over_processes
from hierseg.training.checkpoints import Checkpoints
from hierseg.training.reporting.journal import Journal
from hierseg.training.run import Run
from hierseg.training.signals import RunEnded
from hierseg.training.state import Progress
from hierseg.training.step import LONGEST_ROW

FEWEST_ROWS = 8
"""Fewest rows of the step journal for comparing the losses of a single epoch."""


def end_if_blind(run: Run) -> None:
    """End a run if, after some steps, no crop had a pixel with a class.

    Raises:
        RunEnded: No pixel counted; raised on all processes or on none.
    """
    progress = run.state.progress
    is_last = progress.epoch + 1 >= run.experiment.optim.epochs
    if progress.step < LONGEST_ROW and not is_last:
        return
    pixels = torch.tensor(progress.pixels, device=run.fabric.device)
    if int(sum_over_processes(pixels)) == 0:
        raise RunEnded(
            f"no crop of {progress.step} steps had a pixel with a class, so nothing can be learnt; "
            "give a larger --data.crop, or see what the label maps hold with `hierseg check`."
        )


def describe_outcome(run: Run, journal: Journal, evaluation: Evaluation | None) -> str:
    """A sentence if the run ends no better than it began, by its journal and its last validation.
    Empty otherwise, for a dry run, and on all processes but the first.
    """
    if run.experiment.runtime.limit_batches is not None or not run.fabric.is_global_zero:
        return ""
    found = [*_compare_classes(evaluation), *_compare_mious(journal), *_compare_losses(journal)]
    if not found:
        return ""
    return (
        f"the run ends where it began: {'; '.join(found)}. Train longer (--optim.epochs), start "
        "from weights of similar data (--init), or try another --optim.lr."
    )


def _compare_classes(evaluation: Evaluation | None) -> list[str]:
    if evaluation is None:
        return []
    columns = [sum(column) for column in zip(*evaluation.confusion, strict=True)]
    predicted = [name for name, count in zip(evaluation.names, columns, strict=True) if count]
    if len(predicted) != 1 or sum(any(row) for row in evaluation.confusion) < 2:
        return []
    return [f"every pixel of validation is taken for '{predicted[0]}'"]


def _compare_mious(journal: Journal) -> list[str]:
    mious = [float(row["miou"]) for row in journal.epochs.read() if row.get("miou")]
    if len(mious) < 2 or max(mious[1:]) > mious[0]:
        return []
    return [f"mean IoU was {mious[0]:.4f} at the first validation, and never higher"]


def _compare_losses(journal: Journal) -> list[str]:
    losses = [float(row["loss"]) for row in journal.epochs.read() if row.get("loss")]
    what = "epoch"
    if len(losses) == 1:
        rows = [float(row["loss"]) for row in journal.steps.read() if row.get("loss")]
        if len(rows) < FEWEST_ROWS:
            return []
        part = len(rows) // 4
        losses, what = [fmean(rows[:part]), fmean(rows[-part:])], "quarter of its steps"
    if len(losses) < 2 or losses[-1] < losses[0]:
        return []
    return [f"the loss was {losses[0]:.4f} in the first {what}, {losses[-1]:.4f} in the last"]


def agree(flags: list[bool], device: torch.device) -> list[bool]:
    """For each flag whether it is set on any process, so that all act alike at the same step."""
    return sum_over_processes(torch.tensor(flags, device=device).int()).bool().tolist()


def end_if_lost(progress: Progress, checkpoints: Checkpoints, longest_row: int) -> None:
    """End a run after ``longest_row`` steps in a row without a finite loss and gradient.

    Raises:
        RunEnded: The message names the last good checkpoint; none is written within such a row.
    """
    if progress.skipped_in_row < longest_row:
        return
    found = checkpoints.list()
    last = f"the last good checkpoint is {found[0].path}" if found else "there is no checkpoint yet"
    raise RunEnded(
        f"loss or gradient was not finite in {longest_row} steps in a row, up to step "
        f"{progress.step}; {last}; give a lower --optim.lr, or --optim.clip-norm 1, to a new run."
    )
