"""`hierseg evaluate`: measure a network on a labelled split."""

from __future__ import annotations

import json as json_format
from pathlib import Path

from hierseg.errors import UsageError, UserError
from hierseg.size import Size


def evaluate(
    data: str,
    root: Path | None = None,
    split: str = "val",
    weights: str | None = None,
    scales: tuple[float, ...] | None = None,
    flip: bool = False,
    device: str = "auto",
    limit: int | None = None,
    json: Path | None = None,
    cv: int = 0,
    long_edge: int | None = None,
    val_crop: Size | None = None,
) -> None:
    """Measure a network on a labelled split: mIoU, and IoU, precision and recall of each class.

    Args:
        data: Data set: camvid, cityscapes, folder, kitti, mapillary, mapillary-v2.0, or a file
            (.yaml, .json) that describes your own.
        root: Folder that holds the data set; a file that describes one says by itself.
        split: Split that is evaluated on.
        weights: Checkpoint file, run folder, or name of packaged weights; the model in the box
            where none is given.
        scales: Scales of the image, with 1 among them; the checkpoint's own where none are given.
        flip: Average with the mirrored image.
        device: auto, cpu, or cuda.
        limit: Only the first so many images of the split.
        json: Write the result to this file as well, fractions in [0, 1].
        cv: Cross-validation split of cityscapes (0 is the standard one) or kitti.
        long_edge: Pixels that the longer side of an image is brought to before the network sees
            it; the labels stay as they are.
        val_crop: Count the central crop of this size alone.
    """
    from hierseg.build import check_scales, choose_device
    from hierseg.checkpoint import load_model
    from hierseg.commands.progress import show_progress
    from hierseg.data import DataOptions, open_dataset, resize_dataset
    from hierseg.evaluation import evaluate as measure
    from hierseg.evaluation import format_table
    from hierseg.inference.memory import keep_freed_memory

    if scales is not None:
        check_scales(scales, "--scales")
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit} leaves no images; give 1 or more.")
    if long_edge is not None and long_edge < 32:
        raise UsageError(f"--long-edge {long_edge} is too small; give 32 or more.")
    if val_crop is not None and min(val_crop) < 32:
        raise UsageError(f"--val-crop {val_crop} has a side under 32 pixels; give more.")
    if json is not None and not json.parent.is_dir():
        raise UserError(f"there is no folder {json.parent} for --json; make it or name another.")
    where = choose_device(device, "--device")
    keep_freed_memory()
    dataset = open_dataset(data, root, split, options=DataOptions(cv=cv))
    dataset = resize_dataset(dataset, long_edge, val_crop)
    network = load_model(weights)
    with show_progress("evaluating") as on_progress:
        result = measure(network, dataset, scales, flip, where, limit, on_progress)
    print(format_table(result))
    if json is not None:
        json.write_text(json_format.dumps(result.to_json(), indent=2) + "\n", encoding="utf-8")
