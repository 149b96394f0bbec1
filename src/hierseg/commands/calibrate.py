"""`hierseg calibrate`: fit the temperature of a network's confidence, and store it in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hierseg.commands.fitting import PixelFlags, describe_fit, load_for_fit, sample_logits
from hierseg.commands.places import check_picture
from hierseg.errors import make_printable
from hierseg.options import WHOLE, RunOptions
from hierseg.wording import count

if TYPE_CHECKING:
    from hierseg.evaluation import Evaluation, Fit


def calibrate(flags: PixelFlags, plot: Path | None = None, how: RunOptions = WHOLE) -> None:
    """Fit the temperature that calibrates a network's confidence on a labelled split, and write the
    weights with it.

    Labels do not change; their confidence does, and with it which pixels of auto-labels training
    uses. Fit on a split that the network was not trained on.

    Args:
        flags: Data to fit on, and the file to write.
        plot: Write a reliability diagram, before and after, to this file (.png).
        how: How the network is run.
    """
    check_picture("--plot", plot, "calibrate", flags.overwrite)
    network = load_for_fit(flags, how)
    result, sample = sample_logits(flags, how, network)
    from hierseg.checkpoint import annotate_checkpoint
    from hierseg.commands.progress import announce

    with announce("fitting the temperature"):
        fit = sample.fit()
        extra = {"temperature": fit.temperature, "calibration": _describe(result, fit, flags)}
        annotate_checkpoint(flags.weights, flags.out, network, extra)
    _report(result, fit, plot)
    print(make_printable(f"use it as --weights {flags.out}"))


def _describe(result: Evaluation, fit: Fit, flags: PixelFlags) -> dict[str, Any]:
    """The checkpoint's record of how its temperature was fitted."""
    return {
        **describe_fit(result, flags),
        "pixels": fit.before.pixels,
        "ece": [fit.before.ece, fit.after.ece],
        "nll": [fit.before.nll, fit.after.nll],
    }


def _report(result: Evaluation, fit: Fit, plot: Path | None) -> None:
    from hierseg.evaluation import draw_reliability, format_calibration
    from hierseg.media import write_figure

    both = [fit.before, fit.after]
    print(
        f"{make_printable(f'{result.data} {result.split}')}: {count(result.images, 'image')}, "
        f"temperature {fit.temperature:.4f}"
    )
    print(format_calibration(both))
    if plot is not None:
        title = f"Reliability: {result.data} {result.split}"
        write_figure(plot, draw_reliability(both, title), "calibrate")
        print(f"reliability: {plot.resolve().as_uri()}")
