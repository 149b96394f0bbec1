"""The parts of a run, built from its experiment and its seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.utils.data import DataLoader

from hierseg import assembly as build
from hierseg.config import Experiment
from hierseg.data import TrainingSamples
from hierseg.engines import keep_freed_memory
from hierseg.errors import UserError
from hierseg.layers import synchronise_norms
from hierseg.losses import CombinedLoss
from hierseg.models import SegmentationNetwork
from hierseg.processes import Launch, guard_children, sum_over_processes
from hierseg.training.checkpoints import Checkpoints
from hierseg.training.counting import require_labelled, require_warm
from hierseg.training.depthwise import run_depthwise_in_float
from hierseg.training.distributed import first_of_all, first_on_machine
from hierseg.training.ema import WeightAverage
from hierseg.training.folder import RunFolder
from hierseg.training.gradient_checkpointing import recompute_trunk
from hierseg.training.indexing import index_sources
from hierseg.training.initialization import find_conventions, start_at_random, start_network
from hierseg.training.launching import Engine, launch_engine
from hierseg.training.loading import EpochBatches, build_loader, build_sampler
from hierseg.training.optimizer import build_optimiser, freeze
from hierseg.training.reporting.run_log import RunLog
from hierseg.training.schedule import Schedule
from hierseg.training.state import TrainingState, read_conventions_of
from hierseg.training.step import Stepper


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
    schedule: Schedule
    batches: EpochBatches
    loader: DataLoader[dict[str, Any]]
    stepper: Stepper
    state: TrainingState
    checkpoints: Checkpoints

    @property
    def evaluated(self) -> SegmentationNetwork:
        """The network that is evaluated and saved: the averaged weights if there are any."""
        average = self.state.average
        return self.network if average is None else average.network

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch; the last may have fewer batches than the others."""
        return math.ceil(len(self.batches) / self.experiment.optim.accumulate)


def prepare_run(
    experiment: Experiment, data: build.Datasets, folder: RunFolder, engine: Engine | None = None
) -> Run:
    """Build the parts from the experiment and its seed, or restore the last checkpoint's."""
    runtime, settings, optim = experiment.runtime, experiment.data, experiment.optim
    if runtime.resume:
        folder.require_same_data(data)
    fabric, precision = engine or launch_engine(experiment, Launch())
    say = RunLog(folder.log).say_aside if fabric.is_global_zero else lambda _line: None
    if runtime.resume and fabric.is_global_zero:  # each machine may have a copy of its own
        folder.require_same_files(data, settings.verify, say)
    batches = _build_batches(experiment, data, fabric)
    keep_freed_memory()
    guard_children()
    torch.manual_seed(runtime.seed)
    checkpoints = Checkpoints(folder.states, runtime.keep, folder.state, say)
    with first_of_all(fabric):  # it sets aside what is damaged
        saved = checkpoints.read() if runtime.resume else None
    network = _start(experiment, data, saved, lambda: _check_all_found_it(fabric, saved, folder))
    space = data.train.label_space
    criterion = build.build_criterion(experiment, space, network.align_corners)
    _adapt(network, experiment, fabric)
    average = WeightAverage(network, optim.ema_decay) if optim.ema_decay > 0 else None
    bare = build_optimiser(network, optim)
    module: Any = torch.compile(network) if experiment.model.compile else network
    model, optimiser = fabric.setup(module, bare)
    if fabric.world_size > 1:  # the same weights everywhere, but dropout of each process's own
        torch.manual_seed(runtime.seed + fabric.global_rank)
    transform = build.build_transform(experiment, space)
    samples = TrainingSamples(data.train, transform, runtime.seed, data.further)
    teacher = build.build_teacher(experiment.distill, space, fabric.device)
    state = TrainingState(network, bare, precision, average)
    if saved is not None:
        path, content = saved
        state.restore(content, path)
    return Run(
        experiment=experiment,
        folder=folder,
        fabric=fabric,
        data=data,
        network=network,
        model=model,
        criterion=criterion,
        schedule=Schedule.from_config(optim, math.ceil(len(batches) / optim.accumulate)),
        batches=batches,
        loader=build_loader(samples, batches, settings.workers, fabric.device.type == "cuda"),
        stepper=Stepper(fabric, model, optimiser, criterion, state, optim.clip_norm, teacher),
        state=state,
        checkpoints=checkpoints,
    )


def _start(
    experiment: Experiment,
    data: build.Datasets,
    saved: tuple[Path, dict[str, Any]] | None,
    check: Callable[[], None],
) -> SegmentationNetwork:
    """The network of a new run with its initial weights, or the network of a resumed run before its
    weights are loaded.
    """
    space, statistics = data.train.label_space, data.train.statistics
    if saved is None:
        check()
        conventions = find_conventions(experiment.model, statistics)
        network = build.assemble_network(experiment, space, statistics, conventions)
        start_network(network, experiment.model, space)
        return network
    # Also refuses what is no state, before anything is taken from it.
    before = read_conventions_of(saved[1], saved[0])
    check()
    # What a checkpoint holds is not looked for elsewhere.
    return build.assemble_network(start_at_random(experiment), space, statistics, before)


def _build_batches(experiment: Experiment, data: build.Datasets, fabric: Fabric) -> EpochBatches:
    """The batches of the epochs; refuses data without labels and a warm-up that does not end."""
    runtime, optim = experiment.runtime, experiment.optim
    with first_on_machine(fabric):  # what it writes into the cache the others find there
        centroids = index_sources(experiment.data, data)
        require_labelled([data.train, *data.further], centroids)
    batches = EpochBatches(build_sampler(experiment, data, centroids), experiment.data.batch)
    if runtime.limit_batches is not None:
        batches.limit = runtime.limit_batches * optim.accumulate
    elif not runtime.resume:  # a run that began goes on
        require_warm(optim, math.ceil(len(batches) / optim.accumulate))
    return batches


def _check_all_found_it(
    fabric: Fabric, saved: tuple[Path, dict[str, Any]] | None, folder: RunFolder
) -> None:
    """UserError if the processes do not see the same checkpoint: on several machines some would
    silently start anew.
    """
    step = -1 if saved is None else int(saved[1].get("progress", {}).get("step", -1))
    total = sum_over_processes(torch.tensor(step, device=fabric.device))
    if int(total) != step * fabric.world_size:
        raise UserError(
            f"the processes do not find the same checkpoint in {folder.states}; give --runtime.out "
            "a folder that all machines share."
        )


def _adapt(network: SegmentationNetwork, experiment: Experiment, fabric: Fabric) -> None:
    """Move the network to its device, and adapt it to training there."""
    runtime, model = experiment.runtime, experiment.model
    network.to(fabric.device)
    if fabric.world_size > 1 and runtime.sync_norm:
        synchronise_norms(network, fabric.device)
    if fabric.device.type == "cpu" and runtime.precision == "bf16":
        run_depthwise_in_float(network)
    freeze(network, model)
    if model.grad_checkpoint and not model.freeze_trunk:
        assert isinstance(network.trunk, nn.Module)
        recompute_trunk(network.trunk)
