"""The training loop: what METHOD sections 2 and 5 say, step by step."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader

from hierseg import build
from hierseg.checkpoint import save_checkpoint
from hierseg.config import Experiment
from hierseg.data import TrainingSamples
from hierseg.evaluation import Evaluation, evaluate
from hierseg.inference.memory import keep_freed_memory
from hierseg.layers import synchronise_norms
from hierseg.losses import CombinedLoss
from hierseg.models import SegmentationNetwork
from hierseg.processes import Launch
from hierseg.training.averaging import WeightAverage
from hierseg.training.depthwise import run_depthwise_in_float
from hierseg.training.display import Display, format_duration, make_display
from hierseg.training.engine import Engine, launch_engine
from hierseg.training.folder import RunFolder, find_commit
from hierseg.training.indexing import index_sources
from hierseg.training.journal import Journal, NoJournal
from hierseg.training.loading import EpochBatches, build_loader, build_sampler
from hierseg.training.optimiser import build_optimiser, set_rate
from hierseg.training.pace import Pace, StepReport
from hierseg.training.schedule import Schedule
from hierseg.training.starting import check_start, start_network
from hierseg.training.state import TrainingState
from hierseg.training.together import (
    first_on_machine,
    leave_together,
    mean_over_processes,
    one_failure,
    share_buffers,
)


@dataclass(frozen=True)
class Run:
    """The parts of a run. ``model`` is ``network`` inside the engine: the same weights."""

    experiment: Experiment
    folder: RunFolder
    fabric: Fabric
    data: build.Datasets
    network: SegmentationNetwork
    model: Any
    criterion: CombinedLoss
    optimiser: Any
    schedule: Schedule
    batches: EpochBatches
    loader: DataLoader[dict[str, Any]]
    state: TrainingState

    @property
    def evaluated(self) -> SegmentationNetwork:
        """The network that is evaluated and saved: the average of weights where there is one."""
        average = self.state.average
        return self.network if average is None else average.network


def train(experiment: Experiment) -> Path:
    """Train what an experiment describes.

    Returns:
        The run folder: ``best.safetensors``, ``last.safetensors``, ``last.state.pt``, ``run.json``,
        ``steps.csv``, ``epochs.csv``, ``tensorboard/``.

    Raises:
        UsageError: Settings that cannot work together.
        UserError: Data that cannot be read, or a run folder that cannot be used.
    """
    launch = Launch.find()
    with one_failure(launch):
        build.check_experiment(experiment)
        path = train_with(experiment, launch_engine(experiment, launch))
        leave_together()
        return path


def train_with(experiment: Experiment, engine: Engine) -> Path:
    """``train`` in an engine that is running, on each of its processes; the first one writes."""
    fabric, _ = engine
    if not experiment.runtime.resume:
        check_start(experiment.model)
    folder = RunFolder.open(experiment)
    run = prepare_run(experiment, build.build_datasets(experiment), folder, engine)
    is_first = fabric.is_global_zero
    if is_first:
        folder.begin(experiment)
    if experiment.runtime.resume and folder.state.is_file():
        run.state.restore(folder.state)
    progress = run.state.progress
    begin_journal = Journal(folder, progress) if is_first else NoJournal()
    with make_display(quiet=not is_first) as display, begin_journal as journal:
        display.say(
            f"{experiment.recipe}: {experiment.model.name}, {len(run.data.train)} images, "
            f"{experiment.optim.epochs} epochs of {len(run.batches)} steps, on {run.fabric.device}"
        )
        while progress.epoch < experiment.optim.epochs:
            started, fallbacks = time.perf_counter(), run.criterion.fallbacks
            loss = train_epoch(run, display, journal)
            progress.finish_epoch()
            evaluation = validate(run, display)
            if is_first:
                save_weights(run, evaluation)
            seconds = time.perf_counter() - started
            fallbacks = run.criterion.fallbacks - fallbacks
            journal.write_epoch(progress, loss, seconds, evaluation, fallbacks)
            # Last of all: a run killed before this line does the epoch again, rows and all.
            if is_first:
                run.state.save(folder.state)
            display.say(_describe_epoch(run, loss, seconds, evaluation, fallbacks))
    return folder.path


def prepare_run(
    experiment: Experiment, data: build.Datasets, folder: RunFolder, engine: Engine | None = None
) -> Run:
    """Build everything from the experiment and its seed."""
    runtime, settings = experiment.runtime, experiment.data
    fabric, precision = engine or launch_engine(experiment, Launch())
    with first_on_machine(fabric):  # what it writes into the cache the others find there
        centroids = index_sources(settings, data)
    keep_freed_memory()
    torch.manual_seed(runtime.seed)
    space = data.train.label_space
    network = build.build_network(experiment, space, data.train.statistics)
    if not (runtime.resume and folder.state.is_file()):
        start_network(network, experiment.model)
    criterion = build.build_criterion(experiment, space, network.align_corners)
    network.to(fabric.device)
    if fabric.world_size > 1 and runtime.sync_norm:
        synchronise_norms(network, fabric.device)
    if fabric.device.type == "cpu" and runtime.precision == "bf16":
        run_depthwise_in_float(network)
    decay = experiment.optim.ema_decay
    average = WeightAverage(network, decay) if decay > 0 else None
    bare = build_optimiser(network, experiment.optim)
    model, optimiser = fabric.setup(network, bare)
    if fabric.world_size > 1:  # the same weights everywhere, but dropout of each process's own
        torch.manual_seed(runtime.seed + fabric.global_rank)
    batches = EpochBatches(build_sampler(experiment, data, centroids), settings.batch)
    transform = build.build_transform(experiment, space)
    samples = TrainingSamples(data.train, transform, runtime.seed, data.extra)
    return Run(
        experiment=experiment,
        folder=folder,
        fabric=fabric,
        data=data,
        network=network,
        model=model,
        criterion=criterion,
        optimiser=optimiser,
        schedule=Schedule.from_config(experiment.optim, len(batches)),
        batches=batches,
        loader=build_loader(samples, batches, settings.workers, fabric.device.type == "cuda"),
        state=TrainingState(network, bare, precision, average),
    )


def train_epoch(run: Run, display: Display, journal: Journal) -> float:
    """Train what is left of an epoch; returns the mean loss of its steps."""
    progress, pace = run.state.progress, Pace()
    run.model.train()
    run.criterion.set_epoch(progress.epoch)
    run.batches.start(progress.epoch, progress.position)
    total = torch.zeros((), device=run.fabric.device)
    first = progress.position
    for batch in run.loader:
        rate = set_rate(run.state.optimiser, run.schedule.factor(progress.step))
        losses = train_step(run, run.fabric.to_device(batch))
        total += losses["loss"]
        progress.advance()
        pace.step()
        is_logged = progress.step % run.experiment.runtime.log_every == 0
        if is_logged or display.is_due():
            report = _report(run, losses, rate, pace)
            display.show_step(report)
            if is_logged:
                journal.write_step(report)
    return float(total) / max(1, progress.position - first)


def train_step(run: Run, batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """Forward, losses, backward, step; returns the named losses, detached."""
    output = run.model(batch["image"])
    losses = run.criterion(output, batch["labels"])
    run.fabric.backward(losses["loss"])
    run.optimiser.step()
    run.optimiser.zero_grad(set_to_none=True)
    if run.state.average is not None:
        run.state.average.update(run.network)
    return mean_over_processes(losses)


def validate(run: Run, display: Display) -> Evaluation | None:
    """Evaluate as the command would, every so many epochs and after the last."""
    settings, epoch = run.experiment.eval, run.state.progress.epoch
    if epoch % settings.every and epoch < run.experiment.optim.epochs:
        return None
    share_buffers(run.network, run.evaluated)
    return evaluate(
        run.evaluated,
        run.data.val,
        scales=settings.scales,
        flip=settings.flip,
        device=run.fabric.device,
        on_progress=display.show_validation,
    )


def save_weights(run: Run, evaluation: Evaluation | None) -> None:
    """Write the last checkpoint, and the best where this is the best."""
    progress = run.state.progress
    record: dict[str, Any] = {
        "recipe": run.experiment.recipe,
        "model": run.experiment.model.name,
        "epoch": progress.epoch,
        "step": progress.step,
        "commit": find_commit(),
    }
    is_best = False
    if evaluation is not None:
        record |= evaluation.summary()
        is_best = evaluation.scores.miou > progress.best_miou
        progress.best_miou = max(progress.best_miou, evaluation.scores.miou)
    for path in [run.folder.last, run.folder.best] if is_best else [run.folder.last]:
        save_checkpoint(path, run.evaluated, run.data.train.label_space, record=record)


def _report(run: Run, losses: Mapping[str, Tensor], rate: float, pace: Pace) -> StepReport:
    progress, settings = run.state.progress, run.experiment
    steps = len(run.batches) * settings.optim.epochs
    seconds = pace.seconds_per_step
    return StepReport(
        epoch=progress.epoch + 1,
        epochs=settings.optim.epochs,
        step=progress.step,
        steps=steps,
        position=progress.position,
        steps_per_epoch=len(run.batches),
        losses={name: float(value) for name, value in losses.items()},
        lr=rate,
        images_per_second=settings.data.batch * run.fabric.world_size / seconds
        if seconds > 0
        else 0.0,
        seconds_left=(steps - progress.step) * seconds,
    )


def _describe_epoch(
    run: Run, loss: float, seconds: float, evaluation: Evaluation | None, fallbacks: int
) -> str:
    line = (
        f"epoch {run.state.progress.epoch}/{run.experiment.optim.epochs}: "
        f"loss {loss:.4f}, {format_duration(seconds)}"
    )
    if fallbacks:
        line += f", RMI fallbacks to BCE: {fallbacks}"
    if evaluation is None:
        return line
    scores = evaluation.scores
    return f"{line}, mIoU {scores.miou:.4f} over {scores.num_classes_averaged} classes"
