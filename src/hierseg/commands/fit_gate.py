"""`hierseg fit-gate`: teach a gate where the largest scale helps, and store it in the weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hierseg.commands.fitting import FitFlags, load_for_fit, open_for_fit
from hierseg.commands.running import without_edge
from hierseg.errors import UsageError, make_printable
from hierseg.options import WHOLE, RunOptions
from hierseg.wording import count

if TYPE_CHECKING:
    from torch import Tensor

    from hierseg.evaluation import GateFit
    from hierseg.models import SegmentationNetwork


@dataclass(frozen=True)
class GateFlags(FitFlags):
    """Data to fit on; not the data that you will evaluate on."""

    split: str = "train"
    """Split to fit on; not the one that you will evaluate on."""


def fit_gate(flags: GateFlags, how: RunOptions = WHOLE) -> None:
    """Teach a gate where the largest scale corrects the labels and where it spoils them, and write
    the weights with it.

    The network does not change. With --budget or --gate, the largest scale then runs where the gate
    predicts the largest gain. Fit on a split that you will not evaluate on, and if possible on
    images that the network was not trained on: on its training images it is seldom wrong.

    Args:
        flags: Data to fit on, and the file to write.
        how: How the network is run; only scales and long edge matter.
    """
    _check(how)
    network = load_for_fit(flags, how)
    fit, scales, note = _fit(flags, how, network)
    from hierseg.checkpoint import annotate_checkpoint
    from hierseg.models import build_network

    channels = fit.gate.mix.out_channels
    arguments = {"gate_channels": channels}
    built = build_network(network.builder or "", {**network.builder_arguments, **arguments})
    built.load_state_dict({**network.state_dict(), **_name_tensors(fit)})
    built.header, built.scales = network.header, network.scales
    about = {
        "data": flags.data,
        "split": flags.split,
        "split_note": note,
        "scales": list(scales),
        "images": fit.images,
        "cells": fit.cells,
        "seed": flags.seed,
        "gained": fit.gained,
    }
    annotate_checkpoint(
        flags.weights, flags.out, built, {"gate": about}, _name_tensors(fit), None, arguments
    )
    _report(flags, fit)


def _check(how: RunOptions) -> None:
    """UsageError for options that have no effect here, which are all but scales and long edge."""
    for flag in replace(how, preset=None, scales=None, long_edge=None).list_flags():
        raise UsageError(f"{flag} does not change what a gate is fitted to; leave it out.")


def _fit(
    flags: GateFlags, how: RunOptions, network: SegmentationNetwork
) -> tuple[GateFit, tuple[float, ...], str]:
    from hierseg.assembly import choose_device
    from hierseg.commands.progress import show_progress
    from hierseg.engines import TorchEngine, check_gating, keep_freed_memory
    from hierseg.evaluation import check_classes
    from hierseg.evaluation import fit_gate as run

    how = without_edge(how.resolve())
    engine = TorchEngine(network, choose_device(flags.device, "--device"))
    check_gating(engine, RunOptions(scales=how.scales, gate=0.0), "fit-gate")
    dataset = open_for_fit(flags, how)
    check_classes(network, dataset)
    keep_freed_memory()
    scales = network.scales if how.scales is None else how.scales
    with show_progress("fitting") as on_progress:
        fit = run(
            network, dataset, scales, engine.compute_scale, flags.limit, flags.seed, on_progress
        )
    return fit, scales, dataset.note


def _name_tensors(fit: GateFit) -> dict[str, Tensor]:
    return {f"gate.{name}": tensor for name, tensor in fit.gate.state_dict().items()}


def _report(flags: GateFlags, fit: GateFit) -> None:
    gained = fit.gained
    print(
        f"{make_printable(f'{flags.data} {flags.split}')}: {count(fit.images, 'image')}; the "
        f"largest scale corrects {100 * fit.corrected:.2f} % of the pixels and spoils "
        f"{100 * fit.spoiled:.2f} %"
    )
    print(
        f"gain on images held out: everywhere {100 * gained['all']:+.2f} %; on the best third by "
        f"the gate {100 * gained['learned']:+.2f} %, by disagreement "
        f"{100 * gained['disagreement']:+.2f} %, by product {100 * gained['product']:+.2f} %"
    )
    print(make_printable(f"use it as --weights {flags.out} --budget 0.6"))
