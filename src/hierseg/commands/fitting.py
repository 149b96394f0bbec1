"""What `hierseg calibrate` and `hierseg adjust` share: fitting to logits, writing weights again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hierseg.errors import UsageError, UserError

if TYPE_CHECKING:
    import torch

    from hierseg.data import SegmentationDataset
    from hierseg.evaluation import Evaluation
    from hierseg.evaluation.calibration import LogitSample
    from hierseg.models import SegmentationNetwork

OWN_SUFFIX = ".safetensors"


class FitFlags(NamedTuple):
    """Flags of both commands, as their docstrings have them."""

    data: str
    out: Path
    root: Path | None
    split: str
    weights: str | None
    scales: tuple[float, ...] | None
    flip: bool
    device: str
    limit: int | None
    every: int
    cv: int
    long_edge: int | None
    pixels: int
    seed: int
    overwrite: bool


def run_fit(flags: FitFlags) -> tuple[SegmentationNetwork, Evaluation, LogitSample]:
    """Check the flags, and run the network over the split, keeping a sample of its logits."""
    _check(flags)
    from hierseg.build import check_scales, choose_device
    from hierseg.checkpoint import find_weights, load_model
    from hierseg.data import DataOptions, open_dataset, resize_dataset

    if flags.scales is not None:
        check_scales(flags.scales, "--scales")
    where = choose_device(flags.device, "--device")
    source, out = find_weights(flags.weights), flags.out
    if out.exists() and not flags.overwrite:
        itself = " is the weights themselves" if out.resolve() == source.resolve() else " is there"
        raise UsageError(f"--out {out}{itself}; choose another file, or add --overwrite.")
    network = load_model(flags.weights)
    options = DataOptions(cv=flags.cv)
    dataset = open_dataset(flags.data, flags.root, flags.split, options=options)
    dataset.samples = dataset.samples[:: flags.every]
    dataset = resize_dataset(dataset, flags.long_edge, None)
    return network, *_sample(flags, network, dataset, where)


def _sample(
    flags: FitFlags,
    network: SegmentationNetwork,
    dataset: SegmentationDataset,
    device: torch.device,
) -> tuple[Evaluation, LogitSample]:
    from hierseg.commands.progress import show_progress
    from hierseg.evaluation import evaluate
    from hierseg.evaluation.calibration import LogitSample
    from hierseg.inference.memory import keep_freed_memory

    keep_freed_memory()
    limit = flags.limit
    images = len(dataset) if limit is None else min(limit, len(dataset))
    sample = LogitSample(dataset, math.ceil(flags.pixels / max(1, images)), flags.seed)
    with show_progress("fitting") as on_progress:
        result = evaluate(
            network, dataset, flags.scales, flags.flip, device, limit, on_progress,
            watchers=[sample],
        )  # fmt: skip
    return result, sample


def describe_fit(result: Evaluation, flags: FitFlags) -> dict[str, object]:
    """What a checkpoint says of the data that something was fitted on."""
    summary = result.summary()
    kept = ("miou", "data", "split", "split_note", "scales", "flip", "images")
    return {**{key: summary[key] for key in kept}, "seed": flags.seed}


def _check(flags: FitFlags) -> None:
    if flags.out.suffix != OWN_SUFFIX:
        raise UsageError(
            f"{flags.out} is not named *{OWN_SUFFIX}, which hierseg's checkpoints are."
        )
    if flags.limit is not None and flags.limit < 1:
        raise UsageError(f"--limit {flags.limit} leaves no images; give 1 or more.")
    if flags.every < 1:
        raise UsageError(f"--every {flags.every} leaves no images; give 1 or more.")
    if flags.long_edge is not None and flags.long_edge < 32:
        raise UsageError(f"--long-edge {flags.long_edge} is too small; give 32 or more.")
    if flags.pixels < 1:
        raise UsageError(f"--pixels {flags.pixels} leaves nothing to fit on; give 1 or more.")
    if flags.seed < 0:
        raise UsageError(f"--seed {flags.seed} is negative; give 0 or more.")
    check_place("--out", flags.out)


def check_place(flag: str, path: Path) -> None:
    """UserError unless a file can stand there."""
    if not path.parent.is_dir():
        raise UserError(f"there is no folder {path.parent} for {flag}; make it or name another.")
    if path.is_dir():
        raise UserError(f"{flag} {path} is a folder; name a file.")
