"""``hierseg.evaluate``, the evaluation of the Python API."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from hierseg.data import SegmentationDataset, resize_dataset
from hierseg.engines import Engine, load_weights
from hierseg.errors import UsageError, UserError
from hierseg.evaluation import evaluator
from hierseg.evaluation.result import Evaluation, require_counted
from hierseg.inference import Predictor
from hierseg.models import SegmentationNetwork
from hierseg.options import RunOptions
from hierseg.size import Size


def evaluate(
    weights: str | Path | SegmentationNetwork | Predictor,
    dataset: SegmentationDataset,
    *,
    scales: Sequence[float] | None = None,
    flip: bool | None = None,
    long_edge: int | None = None,
    mode: Literal["whole", "slide"] = "whole",
    window: tuple[int, int] | None = None,
    overlap: float | None = None,
    device: str | torch.device | None = None,
    limit: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    per_scale: bool = False,
) -> Evaluation:
    """Measure a network on a labelled split: mIoU, and IoU, precision and recall of each class.

    Args:
        weights: A checkpoint file, a run folder, a name of packaged weights, the file of an
            exported graph, a network, or a predictor. A predictor's scales, flip and long edge are
            the defaults here.
        dataset: A labelled split of ``open_dataset``, with the network's classes.
        scales: Scales of the image; None for the network's own.
        flip: Average with the mirrored image; None for False.
        long_edge: Length in pixels that an image's longer side is resized to; labels keep their
            size, and logits are resized to it.
        mode: ``"whole"``, or ``"slide"`` for overlapping windows whose logits are blended.
        window: Height and width of the windows in pixels; None for a square of the image's shorter
            side.
        overlap: Smallest share of a window that its neighbour covers too, in [0, 1); None for 0.25.
        device: The device to run on; None leaves a network where it is, and loads weights to the
            CPU.
        limit: Only the first so many images.
        on_progress: Called with (images done, images in all) after each image.
        per_scale: Also measure the logits of each scale alone.

    Returns:
        The result: ``.scores.miou`` in [0, 1], ``.scores.iou`` by class name, ``.loss``,
        ``.confusion``, ``.per_scale``, ``.to_json()``.

    Raises:
        UsageError: An option is out of range, or options exclude each other.
        UserError: There are no such weights, the classes are not the data set's, the split has no
            labels, or an image cannot be read.

    Example:
        dataset = hierseg.open_dataset("cityscapes", "data/cityscapes", "val")
        found = hierseg.evaluate("runs/first", dataset, scales=(0.5, 1.0))
        print(found.scores.miou)
    """
    network, predictor = _find_network(weights, device)
    short_edge: int | None = None
    _require_dataset(dataset)
    if limit is not None and limit < 1:
        raise UsageError(f"a limit of {limit} leaves no images; give 1 or more.")
    if predictor is not None:
        scales = predictor.scales if scales is None else scales
        flip = predictor.flip if flip is None else flip
        if long_edge is None:
            long_edge, short_edge = predictor.long_edge, predictor.segmenter.short_edge
    options = RunOptions(
        scales=None if scales is None else tuple(scales),
        flip=bool(flip),
        long_edge=long_edge,
        short_edge=short_edge,
        mode=mode,
        window=None if window is None else Size(*window),
        overlap=overlap,
    ).resolve()
    found = evaluator.evaluate(
        network,
        resize_dataset(dataset, long_edge, short_edge=short_edge),
        device=device,
        limit=limit,
        on_progress=on_progress,
        # Images come at it already.
        options=dataclasses.replace(options, long_edge=None, short_edge=None),
        watchers=[evaluator.RequireFinite()],
        per_scale=per_scale,
    )
    require_counted(found)
    return found


evaluate_weights = evaluate
"""Its name within the package, where ``evaluate`` takes a loaded network."""


def _require_dataset(dataset: Any) -> None:
    if not isinstance(dataset, SegmentationDataset):
        raise UserError(
            f"{dataset!r:.100} is not a data set; give hierseg.open_dataset(name, root, split)."
        )


def _find_network(
    weights: Any, device: str | torch.device | None
) -> tuple[SegmentationNetwork | Engine, Predictor | None]:
    """The network or engine, and the predictor that it comes from, if any."""
    if isinstance(weights, Predictor):
        return weights.runnable, weights
    if isinstance(weights, str | Path):
        return load_weights(weights, "cpu" if device is None else device), None
    if isinstance(weights, SegmentationNetwork):
        return weights, None
    raise UserError(
        f"{weights!r:.100} is neither weights nor a network; give a file, a run folder, a name of "
        "packaged weights, or what hierseg.load_model returns."
    )
