"""Validation in training: the same evaluation as the command's, and a page of it."""

from __future__ import annotations

from collections.abc import Mapping

from hierseg.errors import reason_of
from hierseg.evaluation import Evaluation, PanelFiles, Watcher, evaluate, require_counted
from hierseg.media import Picture
from hierseg.options import RunOptions
from hierseg.processes import alone
from hierseg.training.checkpointing import Keeper
from hierseg.training.distributed import share_buffers
from hierseg.training.reporting.observer import Observer
from hierseg.training.reporting.pictures import SamplePictures, choose_samples
from hierseg.training.run import Run
from hierseg.training.signals import StopRequest

SHOWN = 10
"""Images of the page."""


def validate(
    run: Run, observer: Observer, keeper: Keeper, stop: StopRequest
) -> tuple[Evaluation | None, Mapping[str, Picture]]:
    """Evaluate as the command would, every ``eval.every`` epochs and after the last one.
    ``validation/index.html`` shows a few images of the latest validation.

    Returns:
        The evaluation, and pictures of a few images by name; None and no pictures in other epochs.
    """
    settings, epoch = run.experiment.eval, run.state.progress.epoch + 1
    if epoch % settings.every and epoch < run.experiment.optim.epochs:
        return None, {}

    def note(done: int, images: int) -> None:
        observer.on_validation(done, images)
        # Of several processes each has images of its own, and none may leave before the others.
        if stop.received is not None and run.fabric.world_size == 1:
            keeper.save()
            stop.end(f"in validation after step {run.state.progress.step}, which is saved")

    share_buffers(run.network, run.evaluated)
    images, processes = count_validated(run), run.fabric.world_size
    pictures = SamplePictures(images, run.data.val.label_space, processes)
    panels = _open_panels(run, images, observer) if run.fabric.is_global_zero else None
    watchers: list[Watcher] = [pictures, *([] if panels is None else [panels])]
    found = evaluate(
        run.evaluated,
        run.data.val,
        options=RunOptions(
            scales=settings.scales, flip=settings.flip, precision=settings.precision
        ),
        device=run.fabric.device,
        limit=run.experiment.runtime.limit_batches,
        on_progress=note,
        watchers=watchers,
        criterion=run.criterion.main,
    )
    require_counted(found)
    if panels is not None:
        with alone():  # the pictures are the first process's
            title = f"Validation after epoch {epoch} of {run.experiment.optim.epochs}"
            panels.write(found, title)
        if said := panels.describe_missing():
            observer.on_message(said)
    return found, pictures.pictures


def count_validated(run: Run) -> int:
    """Images of a validation."""
    limit = run.experiment.runtime.limit_batches
    return len(run.data.val) if limit is None else min(limit, len(run.data.val))


def _open_panels(run: Run, images: int, observer: Observer) -> PanelFiles | None:
    """The writer of the page; None, with a message, if its folder cannot be created."""
    wanted = choose_samples(images, SHOWN, run.fabric.world_size)
    folder = run.folder.validation
    try:
        return PanelFiles(folder, run.data.val, wanted, pictures_alone=True)
    except OSError as error:
        observer.on_message(f"no page of the validation: {folder}: {reason_of(error)}")
        return None
