"""Writes a run's checkpoints and the weights of its epochs."""

from __future__ import annotations

import time
from typing import Any

from hierseg.checkpoint import save_checkpoint
from hierseg.errors import UserError
from hierseg.evaluation import Evaluation
from hierseg.training.folder import find_commit
from hierseg.training.reporting.journal import Journal
from hierseg.training.run import Run


class Keeper:
    """Decides when a checkpoint is due; the first process writes it.

    Args:
        run: The run; every process has one.
        journal: The journal, whose rows reach the disk before the checkpoint that relies on them.
    """

    def __init__(self, run: Run, journal: Journal) -> None:
        self._run = run
        self._journal = journal
        self._saved_at = time.monotonic()
        self._saved_step = run.state.progress.step
        self._is_owed = False

    def is_due(self) -> bool:
        """Whether ``save_steps`` steps or ``save_minutes`` minutes have passed. Never in a row of
        skipped steps, so that the last checkpoint is a good one.
        """
        runtime, progress = self._run.experiment.runtime, self._run.state.progress
        if progress.skipped_in_row:
            return False
        if self._is_owed:
            return True
        minutes = (time.monotonic() - self._saved_at) / 60
        is_time = 0 < runtime.save_minutes <= minutes
        return is_time or 0 < runtime.save_steps <= progress.step - self._saved_step

    def save(self) -> None:
        """Write a checkpoint; all processes call it at the same step."""
        progress = self._run.state.progress
        content = self._run.state.collect()
        if self._run.fabric.is_global_zero:
            self._journal.synchronise()
            self._run.checkpoints.write(content, progress.step, progress.epoch)
        # One that ends now takes the others along, the first within its write.
        self._run.fabric.barrier()
        self._saved_at, self._saved_step = time.monotonic(), progress.step
        self._is_owed = False

    def save_epoch(self) -> None:
        """Write a checkpoint at the end of an epoch; in a row of skipped steps, after its end."""
        progress = self._run.state.progress
        if progress.skipped_in_row and progress.epoch < self._run.experiment.optim.epochs:
            self._is_owed = True
        else:
            self.save()

    def rescue(self) -> str:
        """Write a checkpoint after a failure of the data, if there is one process and no step is
        half done. Returns a sentence that says where the run can be resumed.
        """
        state = self._run.state
        if (
            state.is_whole
            and self._run.fabric.world_size == 1
            and not state.progress.skipped_in_row
        ):
            try:
                self.save()
            except UserError as error:
                return str(error)
        found = self._run.checkpoints.list()
        return (
            f"step {found[0].step} is saved; continue from it with --runtime.resume."
            if found
            else "no step is saved yet."
        )


def save_weights(run: Run, evaluation: Evaluation | None) -> None:
    """Write the weights of an epoch as the last ones, and as the best if their mIoU is highest."""
    progress, runtime = run.state.progress, run.experiment.runtime
    record: dict[str, Any] = {
        "recipe": run.experiment.recipe,
        "model": run.experiment.model.name,
        "epoch": progress.epoch + 1,
        "step": progress.step,
        "commit": find_commit(),
    }
    if runtime.limit_batches is not None:
        record["dry_run"] = runtime.limit_batches
    is_best = False
    if evaluation is not None:
        record |= evaluation.summary()
        is_best = evaluation.scores.miou > progress.best_miou
    if run.fabric.is_global_zero:
        for path in [run.folder.last, run.folder.best] if is_best else [run.folder.last]:
            save_checkpoint(path, run.evaluated, run.data.train.label_space, record=record)
    if evaluation is not None:  # once it is written: a run that fails there has no new best
        progress.best_miou = max(progress.best_miou, evaluation.scores.miou)
