"""`hierseg adjust`: class offsets that maximise a network's mean IoU, stored in its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hierseg.commands.fitting import PixelFlags, describe_fit, load_for_fit, sample_logits
from hierseg.errors import UserError, make_printable
from hierseg.options import WHOLE, RunOptions
from hierseg.wording import count

if TYPE_CHECKING:
    from torch import Tensor

    from hierseg.evaluation import Evaluation
    from hierseg.metrics import Offsets
    from hierseg.models import SegmentationNetwork

OUTDATED = {"miou": None, "pixel_accuracy": None}
"""Fields of the training record that no longer hold for the changed network."""


@dataclass(frozen=True)
class AdjustFlags(PixelFlags):
    """Data to fit on: the training data, not the data that you will evaluate on."""

    split: str = "train"
    """Split to fit on; not the one that you will evaluate on."""


def adjust(flags: AdjustFlags, how: RunOptions = WHOLE) -> None:
    """Shift each class's logit by an offset that maximises mIoU on the given split, and write the
    weights with the offsets in their last bias.

    Labels change; a stored temperature is removed. A loss that weights rare classes predicts them
    too often for the best mIoU, a loss without weights too seldom; offsets correct this without
    training. Fit on the training split, and evaluate on another: a figure on the split that the
    offsets were fitted on proves nothing.

    Args:
        flags: Data to fit on, and the file to write.
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
    flags: PixelFlags,
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
            f"the network of {weights or 'streetlite'} has no bias in its last convolution, where "
            "the offsets would be stored; use one with an OCR head."
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
