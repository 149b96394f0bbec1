"""Trains SDC-Net on clips without labels (VPLR, arXiv 1812.01593; METHOD section 8)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from hierseg.assembly import choose_device
from hierseg.checkpoint import load_sdcnet, open_flow, save_sdcnet
from hierseg.data import end_workers, prepare_worker
from hierseg.errors import UsageError
from hierseg.files import FolderLock
from hierseg.flow import FlowEstimator, SdcNet, SdcNetFlow, measure_reconstruction
from hierseg.propagation.flow_evaluation import FlowFigures, evaluate_flow, spread
from hierseg.propagation.sdcnet_folder import SdcNetFolder
from hierseg.propagation.sdcnet_samples import Batch, SampleRules, Samples, join_samples
from hierseg.propagation.sdcnet_settings import SdcNetExperiment
from hierseg.propagation.triples import LENGTH, Clips, Triple, find_clips, has_splits
from hierseg.training import RunEnded, StopRequest

HELD_OUT = 10
"""One in this many triples of a clip, the last ones, is held out without other validation data."""
NAME = "sdcnet"


@dataclass
class Watch:
    """Callbacks of a training.

    Attributes:
        on_step: Called with (steps done, steps in all).
        say: Called with a line for the user.
    """

    on_step: Callable[[int, int], None] = lambda done, total: None
    say: Callable[[str], None] = lambda line: None


@dataclass(frozen=True)
class SdcNetData:
    """Clips and triples for training and validation."""

    train: Clips
    triples: list[Triple]
    val: Clips
    val_triples: list[Triple]


@dataclass
class SdcNetRun:
    """A training under way.

    Attributes:
        step: Steps done.
        best: Best PSNR at validation, in decibels.
    """

    experiment: SdcNetExperiment
    folder: SdcNetFolder
    data: SdcNetData
    inputs: FlowEstimator
    network: SdcNet
    optimizer: torch.optim.Optimizer
    device: torch.device
    watch: Watch
    step: int = 0
    best: float = -math.inf
    figures: list[FlowFigures] = field(default_factory=list)


def train_sdcnet(experiment: SdcNetExperiment, watch: Watch | None = None) -> Path:
    """Train SDC-Net. A resumed run continues as if it had not stopped.

    Args:
        experiment: The settings of the training.
        watch: Callbacks; None for none.

    Returns:
        The run folder, with ``best.safetensors`` (by PSNR at validation), ``last.safetensors``,
        ``states/``, ``run.json``, ``steps.csv`` and ``validation.csv``.

    Raises:
        UsageError: A setting is missing or out of range, or there are no clips.
        UserError: A clip cannot be read, or the run folder cannot be used.
        RunEnded: The loss is no longer finite, or a checkpoint cannot be written.
        RunStopped: A signal ended the run, which was saved before.
        KeyboardInterrupt: Ctrl-C ended the run, which was saved before.
    """
    _check(experiment)
    out = experiment.runtime.out
    if out is None:
        raise UsageError("no folder for the run; name one with --runtime.out DIR.")
    with StopRequest() as stop:
        device = choose_device(experiment.runtime.device)
        inputs = open_flow(experiment.data.flow, device, "--data.flow")
        data = find_data(experiment)
        folder = SdcNetFolder(out)
        folder.check(experiment)
        with FolderLock(out, "--runtime.out"):
            run = _prepare(experiment, folder, data, inputs, device, watch or Watch())
            _train(run, stop)
    return out


def _check(experiment: SdcNetExperiment) -> None:
    data, runtime = experiment.data, experiment.runtime
    smallest = {
        "--data.batch": data.batch,
        "--data.val-count": data.val_count,
        "--optim.steps": experiment.optim.steps,
        "--runtime.log-every": runtime.log_every,
        "--runtime.save-every": runtime.save_every,
        "--runtime.validate-every": runtime.validate_every,
        "--runtime.keep": runtime.keep,
    }
    for flag, value in smallest.items():
        if value < 1:
            raise UsageError(f"{flag} {value} is too small; give 1 or more.")
    if data.workers < 0 or runtime.seed < 0:
        raise UsageError("--data.workers and --runtime.seed must be 0 or more.")
    if not 0 <= data.reverse <= 1:
        raise UsageError(f"--data.reverse {data.reverse:g} is not a probability; give 0 to 1.")
    if not (math.isfinite(experiment.optim.lr) and experiment.optim.lr > 0):
        raise UsageError(
            f"--optim.lr {experiment.optim.lr:g} is not a positive number; give 1e-4, say."
        )
    if min(data.crop) < 32:
        raise UsageError(f"--data.crop {data.crop} is too small; give 32x32 or more.")
    if data.flow.partition(":")[0] == NAME:
        raise UsageError(
            f"--data.flow {data.flow}: SDC-Net cannot give its own input flow; give dis."
        )


def find_data(experiment: SdcNetExperiment) -> SdcNetData:
    """The clips of an experiment, divided into training and validation.

    Raises:
        UsageError: No folder is named, it does not exist, or it has too few frames.
        UserError: A subfolder cannot be listed.
    """
    root, count = experiment.data.root, experiment.data.val_count
    if root is None:
        raise UsageError("no clips to train on; name their folder with --data.root DIR.")
    if experiment.data.val_root is not None or has_splits(root):
        train = find_clips(root, "train")
        val = find_clips(experiment.data.val_root or root, "val", "--data.val-root")
        return SdcNetData(train, train.list_triples(), val, spread(val.list_triples(), count))
    clips = find_clips(root)
    training, held_out = hold_out(clips)
    if not training:
        raise UsageError(f"--data.root: {root} has too few frames to train on; give more.")
    return SdcNetData(clips, training, clips, spread(held_out or training, count))


def hold_out(clips: Clips) -> tuple[list[Triple], list[Triple]]:
    """Triples for training and for validation. The last tenth of each clip is for validation; it
    shares no frame with the training triples.
    """
    training: list[Triple] = []
    held_out: list[Triple] = []
    for place, source in enumerate(clips.sources):
        count = source.length - LENGTH + 1
        first = count - count // HELD_OUT
        held_out += [Triple(place, start) for start in range(first, count)]
        last = count if first == count else first - LENGTH + 1
        training += [Triple(place, start) for start in range(last)]
    return training, held_out


def _prepare(
    experiment: SdcNetExperiment,
    folder: SdcNetFolder,
    data: SdcNetData,
    inputs: FlowEstimator,
    device: torch.device,
    watch: Watch,
) -> SdcNetRun:
    torch.manual_seed(experiment.runtime.seed)
    model = experiment.model
    if model.weights is None:
        network = SdcNet(model.form, model.width)
        network.start_from_flow()
    else:
        network = load_sdcnet(model.weights).network
        if network.form != model.form:
            raise UsageError(
                f"{model.weights} has the form {network.form}; give --model.form {network.form}."
            )
    network.to(device).train()
    optimizer = torch.optim.Adam(network.parameters(), experiment.optim.lr)
    run = SdcNetRun(experiment, folder, data, inputs, network, optimizer, device, watch)
    if experiment.runtime.resume:
        _restore(run)
    folder.begin(experiment, run.step)
    return run


def _restore(run: SdcNetRun) -> None:
    content = run.folder.read_state(run.experiment.runtime.keep, run.watch.say)
    if content is None:
        return
    try:
        run.network.load_state_dict(content["network"])
        run.optimizer.load_state_dict(content["optimizer"])
        run.step, run.best = int(content["step"]), float(content["best"])
    except (LookupError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        raise run.folder.not_of_this_run() from error
    for group in run.optimizer.param_groups:
        group["lr"] = run.experiment.optim.lr


def _train(run: SdcNetRun, stop: StopRequest) -> None:
    settings, steps = run.experiment.runtime, run.experiment.optim.steps
    run.watch.say(
        f"{NAME}: {run.network.form}, {len(run.data.triples)} triples of "
        f"{len(run.data.train.sources)} clips, validated on {len(run.data.val_triples)}, on "
        f"{run.device}" + (f"; resumed after step {run.step}" if run.step else "")
    )
    if run.step >= steps:
        run.watch.say(f"all {steps} steps are done; give a larger --optim.steps to go on.")
        return
    stop.wait = True
    with _loading(run) as loader:
        for batch in loader:
            parts = _take_step(run, batch)
            run.step += 1
            run.watch.on_step(run.step, steps)
            if run.step % settings.log_every == 0 or run.step == steps:
                run.folder.note_step(run.step, {name: float(part) for name, part in parts.items()})
            if run.step % settings.validate_every == 0 or run.step == steps:
                _validate(run)
            ends = stop.received is not None
            if ends or run.step % settings.save_every == 0 or run.step == steps:
                _save(run)
            if ends and run.step < steps:
                stop.end(f"after step {run.step}")


def _take_step(run: SdcNetRun, batch: Batch) -> dict[str, Tensor]:
    """Take one step of Adam; returns the detached loss and its parts."""
    images = batch.images.to(run.device).float()
    flows = batch.flows.to(run.device)
    seen = run.network.frames
    run.optimizer.zero_grad(set_to_none=True)
    flow = run.network(images[:, :seen], flows[:, : seen - 1])
    parts = measure_reconstruction(images[:, 1], images[:, 2], flow)
    loss = torch.stack(list(parts.values())).sum()
    if not torch.isfinite(loss):
        raise RunEnded(
            f"the loss is no longer finite after step {run.step}; continue from the last "
            "checkpoint with --runtime.resume and a smaller --optim.lr."
        )
    loss.backward()  # type: ignore[no-untyped-call]
    run.optimizer.step()
    return {name: part.detach() for name, part in {"loss": loss, **parts}.items()}


@contextmanager
def _loading(run: SdcNetRun) -> Iterator[Iterator[Batch]]:
    """The batches of the remaining steps."""
    data, runtime = run.experiment.data, run.experiment.runtime
    count = run.experiment.optim.steps * data.batch
    # Forked processes cannot use the GPU of their parent.
    workers = 0 if run.inputs.name == "raft" and run.device.type == "cuda" else data.workers
    rules = SampleRules(data.crop, data.reverse, runtime.seed)
    loader: DataLoader[Any] = DataLoader(
        Samples(run.data.train, run.data.triples, run.inputs, rules, count),
        batch_size=data.batch,
        sampler=range(run.step * data.batch, count),
        num_workers=workers,
        collate_fn=join_samples,
        worker_init_fn=prepare_worker,
        generator=torch.Generator().manual_seed(runtime.seed),
    )
    batches: Any = iter(loader)
    try:
        yield batches
    finally:
        if workers > 0:
            end_workers(batches, False)


def _validate(run: SdcNetRun) -> None:
    """Compare the network with repeating the previous frame and with its input flow."""
    run.network.eval()
    own = SdcNetFlow(run.network, run.inputs)
    estimators = [(run.inputs.name, run.inputs), (NAME, own)]
    run.figures = evaluate_flow(run.data.val, run.data.val_triples, estimators)
    run.network.train()
    run.folder.note_validation(run.step, run.figures)
    run.watch.say(f"step {run.step}: " + "; ".join(map(describe_figures, run.figures)))
    record = _describe(run)
    save_sdcnet(run.folder.last, run.network, record)
    psnr = run.figures[-1].scores.psnr
    if psnr > run.best:
        run.best = psnr
        save_sdcnet(run.folder.best, run.network, record)


def describe_figures(figures: FlowFigures) -> str:
    """An estimator's figures as part of a line."""
    scores = figures.scores
    return f"{figures.name} {scores.psnr:.2f} dB, SSIM {scores.ssim:.4f}, error {scores.error:.2f}"


def _describe(run: SdcNetRun) -> Mapping[str, Any]:
    return {
        "step": run.step,
        "inputs": run.inputs.name,
        "settings": run.experiment.to_dict(),
        "validation": [figures.to_dict() for figures in run.figures],
    }


def _save(run: SdcNetRun) -> None:
    content = {
        "network": run.network.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "step": run.step,
        "best": run.best,
    }
    run.folder.write_state(content, run.step, run.experiment.runtime.keep)
