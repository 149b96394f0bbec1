"""The training loop (METHOD sections 2 and 5)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from hierseg import assembly as build
from hierseg.config import Experiment
from hierseg.errors import UsageError, UserError
from hierseg.evaluation import Evaluation
from hierseg.media import Picture
from hierseg.processes import Launch
from hierseg.recipes import settle_experiment
from hierseg.training.checkpointing import Keeper, save_weights
from hierseg.training.counting import count_pixels
from hierseg.training.distributed import leave_together, one_failure
from hierseg.training.feeding import naming_failures
from hierseg.training.folder import RunFolder
from hierseg.training.initialization import check_start
from hierseg.training.launching import Engine, launch_engine, repeatable
from hierseg.training.loading import close_loader
from hierseg.training.optimizer import hold_frozen, set_rate
from hierseg.training.outcome import agree, describe_outcome, end_if_blind, end_if_lost
from hierseg.training.reporting.journal import Journal, NoJournal
from hierseg.training.reporting.observer import (
    EpochReport,
    Observer,
    Observers,
    RunReport,
    StepReport,
)
from hierseg.training.reporting.pace import Pace
from hierseg.training.reporting.run_log import RunLog
from hierseg.training.result import TrainingResult, read_result
from hierseg.training.run import Run, prepare_run
from hierseg.training.signals import RunEnded, StopRequest
from hierseg.training.validation import count_validated, validate
from hierseg.training.waiting import Wait

__all__ = ["Run", "prepare_run", "train"]


def train(experiment: Experiment, observers: Sequence[Observer] = ()) -> TrainingResult:
    """Train a network as an experiment describes.

    Args:
        experiment: The experiment, of a recipe or your own; ``runtime.out`` names the run folder.
        observers: Notified of the run's progress, in the first process only. Without one nothing is
            shown; ``hierseg.training.make_display()`` is the command line's.

    Returns:
        The run folder, the figures of its best and its last epoch, and the paths of their weights.
        The folder has ``best.safetensors``, ``last.safetensors``, ``states/``, ``run.json``,
        ``steps.csv``, ``epochs.csv``, ``run.log``, ``validation/`` and ``tensorboard/``.

    Raises:
        UsageError: A setting is out of range, or settings exclude each other.
        UserError: The data cannot be read, or the run folder cannot be used.
        RunStopped: A scheduler's signal ended the run, which was saved before.
        KeyboardInterrupt: Ctrl-C ended the run, which was saved before.
        RunEnded: A checkpoint cannot be written, or losses are no longer finite.

    Example:
        import dataclasses
        experiment = hierseg.get_recipe("streets-lite0")
        data = dataclasses.replace(experiment.data, root=Path("streets"))
        runtime = dataclasses.replace(experiment.runtime, out=Path("runs/first"))
        result = hierseg.train(dataclasses.replace(experiment, data=data, runtime=runtime))
        network = hierseg.load_model(result.best_weights)
    """
    _check_arguments(experiment, observers)
    experiment = settle_experiment(experiment)
    launch = Launch.find()
    deterministic = experiment.runtime.deterministic
    with (
        one_failure(launch),
        naming_failures(),
        StopRequest() as stop,
        repeatable(deterministic),
    ):
        build.check_experiment(experiment)
        folder = train_with(experiment, launch_engine(experiment, launch), stop, observers)
        leave_together()
        return read_result(folder)


def _check_arguments(experiment: Any, observers: Any) -> None:
    """UsageError for wrong types, which only a caller in Python can give."""
    if not isinstance(experiment, Experiment):
        name = experiment if isinstance(experiment, str) else "streets-lite0"
        raise UsageError(
            f"{experiment!r:.100} is not an experiment; give hierseg.get_recipe({name!r}), say."
        )
    if not isinstance(observers, Sequence):
        raise UsageError(f"observers are a list, not {observers!r:.100}; give [it].")
    for observer in observers:
        if not isinstance(observer, Observer):
            raise UsageError(
                f"{observer!r:.100} is not an observer; give an instance of a class that inherits "
                "hierseg.training.Observer."
            )


def train_with(
    experiment: Experiment,
    engine: Engine,
    stop: StopRequest | None = None,
    observers: Sequence[Observer] = (),
) -> RunFolder:
    """``train`` in a launched engine, on each of its processes; the first one writes."""
    stop = StopRequest() if stop is None else stop
    if not experiment.runtime.resume:
        check_start(experiment.model)
    with RunFolder.hold(experiment, engine[0].is_global_zero) as folder:
        with naming_failures():
            run = prepare_run(experiment, build.build_datasets(experiment), folder, engine)
        try:
            _train(run, stop, observers)
        finally:
            close_loader(run.loader)
    return folder


def _train(run: Run, stop: StopRequest, observers: Sequence[Observer]) -> None:
    """Train the remaining epochs of a run."""
    progress, is_first = run.state.progress, run.fabric.is_global_zero
    if is_first:
        run.folder.begin(run.experiment, run.data)
    with Observers([RunLog(run.folder.log), *observers] if is_first else ()) as watching:
        is_validating = progress.position == run.steps_per_epoch
        journal = (
            Journal(run.folder, progress, is_validating, watching.on_message)
            if is_first
            else NoJournal()
        )
        with journal:
            watching.on_begin(_report_run(run))
            keeper = Keeper(run, journal)
            wait = Wait(run, watching, keeper, stop)
            evaluation: Evaluation | None = None
            stop.wait = True
            try:
                with naming_failures():
                    while progress.epoch < run.experiment.optim.epochs:
                        train_epoch(run, Observers([journal, watching]), keeper, stop, wait)
                        evaluation = finish_epoch(run, watching, journal, keeper, stop)
            except RunEnded:
                raise
            except UserError:
                watching.on_message(keeper.rescue())
                raise
            finally:
                if wait.is_stuck:
                    close_loader(run.loader, is_stuck=True)
            if said := describe_outcome(run, journal, evaluation):
                watching.on_message(said)


def train_epoch(
    run: Run, observer: Observer, keeper: Keeper, stop: StopRequest, wait: Wait
) -> None:
    """Train the remaining steps of an epoch."""
    progress, optim, pace = run.state.progress, run.experiment.optim, Pace()
    run.model.train()
    hold_frozen(run.network, run.experiment.model)
    run.criterion.set_epoch(progress.epoch)
    run.batches.start(progress.epoch, progress.position * optim.accumulate)
    for group in wait.take_groups():
        fallbacks = run.criterion.fallbacks
        rate = set_rate(run.state.optimiser, run.schedule.factor(progress.step))
        with run.state.changing():
            outcome = run.stepper.step(group)
            progress.advance(outcome.loss, count_pixels(group, run.criterion.main.ignore))
            progress.fallbacks += run.criterion.fallbacks - fallbacks
            progress.seconds += pace.step()
        if outcome.loss is None:
            observer.on_message(f"step {progress.step}: loss or gradient is not finite; skipped.")
            end_if_lost(progress, run.checkpoints, run.stepper.longest_row)
        is_logged = progress.step % run.experiment.runtime.log_every == 0
        if is_logged or observer.wants_step():
            observer.on_step(_report_step(run, outcome.losses, rate, pace, is_logged))
        if progress.position == run.steps_per_epoch:
            end_if_blind(run)
        ends, is_due = agree([stop.received is not None, keeper.is_due()], run.fabric.device)
        if ends or is_due:
            keeper.save()
        if ends:
            stop.end(f"after step {progress.step}, which is saved")


def finish_epoch(
    run: Run, observer: Observer, journal: Journal, keeper: Keeper, stop: StopRequest
) -> Evaluation | None:
    """Validate, write the weights and the epoch's row, and count the epoch. Returns the evaluation,
    if the epoch was validated.
    """
    progress, started = run.state.progress, time.perf_counter()
    epochs = run.experiment.optim.epochs
    evaluation, pictures = validate(run, observer, keeper, stop)
    save_weights(run, evaluation)
    progress.seconds += time.perf_counter() - started
    report = _report_epoch(run, evaluation, pictures)
    journal.on_epoch(report)
    progress.finish_epoch()
    # Last: a run killed before this line repeats everything since its last checkpoint.
    keeper.save_epoch()
    observer.on_epoch(report)
    (ends,) = agree([stop.received is not None], run.fabric.device)
    if ends and progress.epoch < epochs:
        stop.end(f"after epoch {progress.epoch}, to be resumed from its last checkpoint")
    return evaluation


def _report_run(run: Run) -> RunReport:
    settings = run.experiment
    return RunReport(
        folder=run.folder.path,
        recipe=settings.recipe,
        model=settings.model.name,
        device=str(run.fabric.device),
        images=len(run.data.train),
        validation_images=count_validated(run),
        epochs=settings.optim.epochs,
        steps_per_epoch=run.steps_per_epoch,
        step=run.state.progress.step,
        is_dry_run=settings.runtime.limit_batches is not None,
    )


def _report_step(
    run: Run, losses: Mapping[str, Tensor], rate: float, pace: Pace, is_logged: bool
) -> StepReport:
    progress, settings = run.state.progress, run.experiment
    steps = run.steps_per_epoch * settings.optim.epochs
    seconds = pace.seconds_per_step
    images = settings.data.batch * settings.optim.accumulate * run.fabric.world_size
    return StepReport(
        epoch=progress.epoch + 1,
        epochs=settings.optim.epochs,
        step=progress.step,
        steps=steps,
        position=progress.position,
        steps_per_epoch=run.steps_per_epoch,
        losses={name: float(value) for name, value in losses.items()},
        lr=rate,
        images_per_second=images / seconds if seconds > 0 else 0.0,
        seconds_left=(steps - progress.step) * seconds,
        skipped=progress.skipped,
        is_logged=is_logged,
    )


def _report_epoch(
    run: Run, evaluation: Evaluation | None, pictures: Mapping[str, Picture]
) -> EpochReport:
    progress = run.state.progress
    return EpochReport(
        epoch=progress.epoch + 1,
        epochs=run.experiment.optim.epochs,
        step=progress.step,
        loss=progress.mean_loss,
        seconds=progress.seconds,
        evaluation=evaluation,
        rmi_fallbacks=progress.fallbacks,
        skipped=progress.skipped_in_epoch,
        pictures=pictures,
    )
