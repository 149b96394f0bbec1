"""`hierseg calibrate`: fit the temperature of a network's confidence, and store it in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hierseg.commands.fitting import FitFlags, check_place, describe_fit, run_fit
from hierseg.errors import UsageError

if TYPE_CHECKING:
    from hierseg.evaluation import Evaluation
    from hierseg.evaluation.calibration import Fit


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
    every: int = 1,
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
        every: One in so many images of the split, in order: frames of a video are much alike.
        limit: Only the first so many images of those.
        cv: Cross-validation split of cityscapes (0 is the standard one) or kitti.
        long_edge: Pixels that the longer side of an image is run at; labels stay as they are.
        pixels: How many to fit on, spread over the images by lot.
        seed: Of that lot.
        plot: Write the reliability before and after as a picture (.png) here.
        overwrite: Write although the file is there, be it the weights' own.
    """
    if plot is not None:
        if plot.suffix != ".png":
            raise UsageError(f"--plot {plot} is not named *.png; name it so.")
        check_place("--plot", plot)
    flags = FitFlags(
        data, out, root, split, weights, scales, flip, device, limit, every, cv, long_edge,
        pixels, seed, overwrite,
    )  # fmt: skip
    network, result, sample = run_fit(flags)
    from hierseg.checkpoint import annotate_checkpoint

    fit = sample.fit()
    extra = {"temperature": fit.temperature, "calibration": _describe(result, fit, flags)}
    annotate_checkpoint(weights, out, network, extra)
    _report(result, fit, plot)
    print(f"use it as --weights {out}")


def _describe(result: Evaluation, fit: Fit, flags: FitFlags) -> dict[str, Any]:
    """What the checkpoint says of how its temperature came about."""
    return {
        **describe_fit(result, flags),
        "pixels": fit.before.pixels,
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
