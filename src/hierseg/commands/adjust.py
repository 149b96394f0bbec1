"""`hierseg adjust`: class offsets by which a network's mean IoU is highest, in its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hierseg.commands.fitting import FitFlags, describe_fit, load_for_fit, sample_logits
from hierseg.errors import UserError, make_printable
from hierseg.options import WHOLE, RunOptions
from hierseg.wording import count

if TYPE_CHECKING:
    from torch import Tensor

    from hierseg.evaluation import Evaluation
    from hierseg.metrics import Offsets
    from hierseg.models import SegmentationNetwork

OUTDATED = {"miou": None, "pixel_accuracy": None}
"""Fields of the training record that are another network's from then on."""


@dataclass(frozen=True)
class AdjustFlags(FitFlags):
    """What is fitted on: what the network was trained on, not what it is to be measured on."""

    split: str = "train"
    """Split that is fitted on; not the one that the network is to be measured on."""


def adjust(flags: AdjustFlags, how: RunOptions = WHOLE) -> None:
    """Find the offset of each class's logit that makes mIoU on a labelled split highest, and write
    the weights with them in their last bias. Labels change; a stored temperature is taken away.

    A loss that weighs rare classes, or does not, finds them too often, or too seldom, for mIoU;
    this is what mends it without training. Fit on what was trained on: a figure on the split that
    offsets were fitted on is no figure.

    Args:
        flags: What is fitted on, and where the weights go.
        how: How the network is run.
    """
    network = load_for_fit(flags, how)
    name, bias = _find_bias(network, flags.weights)
    result, sample = sample_logits(flags, how, network)
    from hierseg.commands.progress import announce

    with announce("searching for offsets"):
        offsets = sample.fit_offsets()
        changed = {name: bias.detach().float().cpu() + offsets.values}
        _store(flags, network, result, offsets, changed)
    _report(result, offsets, network)
    print(make_printable(f"use it as --weights {flags.out}"))


def _store(
    flags: FitFlags,
    network: SegmentationNetwork,
    result: Evaluation,
    offsets: Offsets,
    changed: dict[str, Tensor],
) -> None:
    """Write the weights with what has changed, and how it came about."""
    from hierseg.checkpoint import annotate_checkpoint

    about = {
        **describe_fit(result, flags),
        "offsets": [round(value, 4) for value in offsets.values.tolist()],
        "sample_miou": [offsets.before, offsets.after],
    }
    # Temperature and figures were those of other logits.
    extra = {"adjustment": about, "temperature": None, "calibration": None}
    annotate_checkpoint(flags.weights, flags.out, network, extra, changed, OUTDATED)


def _find_bias(network: SegmentationNetwork, weights: str | None) -> tuple[str, Tensor]:
    """The bias of the logits. Fusion is a weighted mean over scales, so it shifts the fused ones by
    as much as each scale's.
    """
    name = "head.classify.bias"
    bias = dict(network.named_parameters()).get(name)
    if bias is None:
        raise UserError(
            f"the network of {weights or 'the model in the box'} has no bias in its last "
            "convolution, which offsets would go to; use one with an OCR head."
        )
    return name, bias


def _report(result: Evaluation, offsets: Offsets, network: SegmentationNetwork) -> None:
    from hierseg.checkpoint import header_of

    names = [make_printable(name) for name in header_of(network).label_space.names]
    data = make_printable(f"{result.data} {result.split}")
    print(
        f"{data}: {count(result.images, 'image')}; mIoU of the pixels fitted on "
        f"{100 * offsets.before:.2f} before, {100 * offsets.after:.2f} after, with the offsets"
    )
    width = max(map(len, names))
    for name, value in zip(names, offsets.values.tolist(), strict=True):
        print(make_printable(f"{name:{width}} {value:+.3f}"))
