"""`hierseg calibrate`: fit the temperature of a network's confidence, and store it in a file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hierseg.errors import UsageError, UserError

if TYPE_CHECKING:
    import torch

    from hierseg.data import SegmentationDataset
    from hierseg.evaluation import Evaluation
    from hierseg.evaluation.calibration import Fit
    from hierseg.models import SegmentationNetwork

OWN_SUFFIX = ".safetensors"


def calibrate(
    data: str,
    out: Path,
    root: Path | None = None,
    split: str = "val",
    weights: str | None = None,
    scales: tuple[float, ...] | None = None,
    flip: bool = False,
    device: str = "auto",
    limit: int | None = None,
    cv: int = 0,
    long_edge: int | None = None,
    pixels: int = 1_000_000,
    seed: int = 0,
    plot: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Fit a temperature on a labelled split, by which confidence says how often the network is
    right, and write the weights with it. Labels do not change; confidence and auto-labels do.

    Args:
        data: Data set: camvid, cityscapes, folder, kitti, mapillary, mapillary-v2.0, or a file
            (.yaml, .json) that describes your own.
        out: The checkpoint to write, *.safetensors.
        root: Folder that holds the data set; a file that describes one says by itself.
        split: Split that is fitted on; one that the network was not trained on.
        weights: Checkpoint file, run folder, or packaged weights; by default the model in the box.
        scales: Scales of the image, 1 among them; the checkpoint's own where none are given.
        flip: Average with the mirrored image.
        device: auto, cpu, or cuda.
        limit: Only the first so many images of the split.
        cv: Cross-validation split of cityscapes (0 is the standard one) or kitti.
        long_edge: Pixels that the longer side of an image is run at; labels stay as they are.
        pixels: How many to fit on, spread over the images by lot.
        seed: Of that lot.
        plot: Write the reliability before and after as a picture (.png) here.
        overwrite: Write although the file is there, be it the weights' own.
    """
    _check(out, limit, long_edge, pixels, seed, plot)
    from hierseg.build import check_scales, choose_device
    from hierseg.checkpoint import annotate_checkpoint, find_weights, load_model
    from hierseg.data import DataOptions, open_dataset, resize_dataset

    if scales is not None:
        check_scales(scales, "--scales")
    where = choose_device(device, "--device")
    source = find_weights(weights)
    if out.exists() and not overwrite:
        itself = " is the weights themselves" if out.resolve() == source.resolve() else " is there"
        raise UsageError(f"--out {out}{itself}; choose another file, or add --overwrite.")
    network = load_model(weights)
    dataset = open_dataset(data, root, split, options=DataOptions(cv=cv))
    dataset = resize_dataset(dataset, long_edge, None)
    result, fit = _fit(network, dataset, scales, flip, where, limit, pixels, seed)
    extra = {"temperature": fit.temperature, "calibration": _describe(result, fit, seed)}
    annotate_checkpoint(weights, out, network, extra)
    _report(result, fit, plot)
    print(f"use it as --weights {out}")


def _fit(
    network: SegmentationNetwork,
    dataset: SegmentationDataset,
    scales: tuple[float, ...] | None,
    flip: bool,
    device: torch.device,
    limit: int | None,
    pixels: int,
    seed: int,
) -> tuple[Evaluation, Fit]:
    """Run the network over the split, and fit to a sample of its pixels."""
    from hierseg.commands.progress import show_progress
    from hierseg.evaluation import evaluate
    from hierseg.evaluation.calibration import LogitSample
    from hierseg.inference.memory import keep_freed_memory

    keep_freed_memory()
    images = len(dataset) if limit is None else min(limit, len(dataset))
    sample = LogitSample(dataset, math.ceil(pixels / max(1, images)), seed)
    with show_progress("calibrating") as on_progress:
        result = evaluate(
            network, dataset, scales, flip, device, limit, on_progress, watchers=[sample]
        )
    return result, sample.fit()


def _describe(result: Evaluation, fit: Fit, seed: int) -> dict[str, Any]:
    """What the checkpoint says of how its temperature came about."""
    summary = result.summary()
    kept = ("miou", "data", "split", "split_note", "scales", "flip", "images")
    return {
        **{key: summary[key] for key in kept},
        "pixels": fit.before.pixels,
        "seed": seed,
        "ece": [fit.before.ece, fit.after.ece],
        "nll": [fit.before.nll, fit.after.nll],
    }


def _report(result: Evaluation, fit: Fit, plot: Path | None) -> None:
    from hierseg.evaluation.calibration import format_calibration
    from hierseg.evaluation.reliability import draw_reliability
    from hierseg.inference.writers import write_picture

    both = [fit.before, fit.after]
    print(
        f"{result.data} {result.split}: {result.images} images, temperature {fit.temperature:.4f}"
    )
    print(format_calibration(both))
    if plot is not None:
        title = f"Reliability: {result.data} {result.split}"
        write_picture(plot, draw_reliability(both, title))
        print(f"reliability: {plot.resolve().as_uri()}")


def _check(
    out: Path,
    limit: int | None,
    long_edge: int | None,
    pixels: int,
    seed: int,
    plot: Path | None,
) -> None:
    if out.suffix != OWN_SUFFIX:
        raise UsageError(f"{out} is not named *{OWN_SUFFIX}, which hierseg's checkpoints are.")
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit} leaves no images; give 1 or more.")
    if long_edge is not None and long_edge < 32:
        raise UsageError(f"--long-edge {long_edge} is too small; give 32 or more.")
    if pixels < 1:
        raise UsageError(f"--pixels {pixels} leaves nothing to fit on; give 1 or more.")
    if seed < 0:
        raise UsageError(f"--seed {seed} is negative; give 0 or more.")
    if plot is not None and plot.suffix != ".png":
        raise UsageError(f"--plot {plot} is not named *.png; name it so.")
    for flag, path in (("--out", out), ("--plot", plot)):
        if path is not None and not path.parent.is_dir():
            raise UserError(
                f"there is no folder {path.parent} for {flag}; make it or name another."
            )
        if path is not None and path.is_dir():
            raise UserError(f"{flag} {path} is a folder; name a file.")
