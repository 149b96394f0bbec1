"""`hierseg adjust`: class offsets by which a network's mean IoU is highest, in its weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hierseg.commands.fitting import FitFlags, describe_fit, run_fit
from hierseg.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from hierseg.evaluation import Evaluation
    from hierseg.metrics import Offsets
    from hierseg.models import SegmentationNetwork

OUTDATED = {"miou": None, "pixel_accuracy": None}
"""Fields of the training record that are another network's from then on."""


def adjust(
    data: str,
    out: Path,
    root: Path | None = None,
    split: str = "train",
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
    overwrite: bool = False,
) -> None:
    """Find the offset of each class's logit that makes mIoU on a labelled split highest, and write
    the weights with them in their last bias. Labels change; a stored temperature is taken away.

    A loss that weighs rare classes, or does not, finds them too often, or too seldom, for mIoU;
    this is what mends it without training. Fit on what was trained on: a figure on the split that
    offsets were fitted on is no figure.

    Args:
        data: Data set: camvid, cityscapes, folder, kitti, mapillary, mapillary-v2.0, or a file
            (.yaml, .json) that describes your own.
        out: The checkpoint to write, *.safetensors.
        root: Folder that holds the data set; a file that describes one says by itself.
        split: Split that is fitted on; not the one that the network is to be measured on.
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
        overwrite: Write although the file is there, be it the weights' own.
    """
    flags = FitFlags(
        data, out, root, split, weights, scales, flip, device, limit, every, cv, long_edge,
        pixels, seed, overwrite,
    )  # fmt: skip
    network, result, sample = run_fit(flags)
    name, bias = _find_bias(network, weights)
    offsets = sample.fit_offsets()
    changed = {name: bias.detach().float().cpu() + offsets.values}
    _store(flags, network, result, offsets, changed)
    _report(result, offsets, network)
    print(f"use it as --weights {out}")


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

    names = header_of(network).label_space.names
    print(
        f"{result.data} {result.split}: {result.images} images; mIoU of the pixels fitted on "
        f"{100 * offsets.before:.2f} before, {100 * offsets.after:.2f} after, with the offsets"
    )
    width = max(map(len, names))
    for name, value in zip(names, offsets.values.tolist(), strict=True):
        print(f"{name:{width}} {value:+.3f}")
