"""Shared by the commands that fit something to a split and store it in a copy of the weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hierseg.commands.places import check_inputs, check_place
from hierseg.commands.running import own_edge, require_scales, without_edge
from hierseg.errors import UsageError
from hierseg.options import RunOptions

if TYPE_CHECKING:
    from hierseg.data import SegmentationDataset
    from hierseg.evaluation import Evaluation, LogitSample
    from hierseg.models import SegmentationNetwork

OWN_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class FitFlags:
    """Data to fit on, and the file to write."""

    data: str
    """Data set: camvid, cityscapes, folder, kitti, mapillary, mapillary-v2.0, or a file (.yaml,
    .json) that describes your own."""
    out: Path
    """Checkpoint to write, *.safetensors."""
    root: Path | None = None
    """Folder of the data set; not needed for a description file that names its own."""
    split: str = "val"
    """Split to fit on."""
    weights: str | None = None
    """Checkpoint file, run folder, or packaged weights; by default streetlite."""
    device: str = "auto"
    """auto, cpu, or cuda."""
    every: int = 1
    """Use every n-th image of the split, in order: frames of a video are much alike."""
    limit: int | None = None
    """Use at most this many images, the first ones."""
    cv: int = 0
    """Cross-validation split of cityscapes (0 is the standard one) or kitti."""
    palette: Literal["indices", "values"] | None = None
    """How to read label maps with a palette of greys, as lossless optimisers write them: ids are
    the palette's indices or its grey values. A description file has its own key for this."""
    seed: int = 0
    """Seed of the random choices."""
    overwrite: bool = False
    """Replace an existing file, even the weights themselves."""


@dataclass(frozen=True)
class PixelFlags(FitFlags):
    """Data to fit on, by a sample of its pixels, and the file to write."""

    pixels: int = 1_000_000
    """Number of pixels to fit on, drawn at random from all images."""


def load_for_fit(flags: FitFlags, how: RunOptions) -> SegmentationNetwork:
    """The network, after the flags are checked."""
    _check(flags)
    require_scales(flags.weights, how.resolve())
    from hierseg.commands.progress import announce

    with announce("loading torch"):
        from hierseg.assembly import choose_device
        from hierseg.checkpoint import find_weights, load_model

    choose_device(flags.device, "--device")
    source, out = find_weights(flags.weights), flags.out
    if out.exists() and not flags.overwrite:
        itself = " is the weights themselves" if out.resolve() == source.resolve() else " is there"
        raise UsageError(f"--out {out}{itself}; choose another file, or add --overwrite.")
    with announce("loading the weights"):
        return load_model(flags.weights)


def sample_logits(
    flags: PixelFlags, how: RunOptions, network: SegmentationNetwork
) -> tuple[Evaluation, LogitSample]:
    """Run the network over the split, keeping a sample of its logits."""
    from hierseg.assembly import choose_device
    from hierseg.commands.progress import show_progress
    from hierseg.engines import keep_freed_memory
    from hierseg.evaluation import LogitSample, evaluate, require_counted

    dataset, how = open_for_fit(flags, how), how.resolve()
    keep_freed_memory()
    limit = flags.limit
    images = len(dataset) if limit is None else min(limit, len(dataset))
    sample = LogitSample(dataset, math.ceil(flags.pixels / max(1, images)), flags.seed)
    device = choose_device(flags.device, "--device")
    with show_progress("fitting") as on_progress:
        result = evaluate(
            network, dataset, device=device, limit=limit, on_progress=on_progress,
            options=without_edge(how), watchers=[sample],
        )  # fmt: skip
    require_counted(result)
    return result, sample


def open_for_fit(flags: FitFlags, how: RunOptions) -> SegmentationDataset:
    """The split, at the long or short edge that the network is run at."""
    from hierseg.data import DataOptions, open_dataset, resize_dataset

    options = DataOptions(cv=flags.cv, palette=flags.palette)
    dataset = open_dataset(flags.data, flags.root, flags.split, options=options)
    if flags.every > 1:
        dataset.samples = dataset.samples[:: flags.every]
        dataset.note = ", ".join(filter(None, (dataset.note, f"one in {flags.every} images")))
    how = how.resolve()
    return resize_dataset(dataset, own_edge(how), short_edge=how.short_edge)


def describe_fit(result: Evaluation, flags: FitFlags) -> dict[str, object]:
    """What a checkpoint says of the data that something was fitted on."""
    summary = result.summary()
    kept = ("miou", "data", "split", "split_note", "scales", "flip", "images")
    return {**{key: summary[key] for key in kept}, "seed": flags.seed}


def _check(flags: FitFlags) -> None:
    if flags.out.suffix != OWN_SUFFIX:
        raise UsageError(
            f"{flags.out} is not named *{OWN_SUFFIX}, as hierseg's checkpoints are; name it so."
        )
    if flags.limit is not None and flags.limit < 1:
        raise UsageError(f"--limit {flags.limit} leaves no images; give 1 or more.")
    if flags.every < 1:
        raise UsageError(f"--every {flags.every} leaves no images; give 1 or more.")
    if isinstance(flags, PixelFlags) and flags.pixels < 1:
        raise UsageError(f"--pixels {flags.pixels} leaves nothing to fit on; give 1 or more.")
    if flags.seed < 0:
        raise UsageError(f"--seed {flags.seed} is negative; give 0 or more.")
    check_place("--out", flags.out)
    check_inputs(flags.data, flags.root, flags.split, flags.weights)
