"""Checks and indexes every pair of image and label map before the first step."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hierseg.assembly import Datasets
from hierseg.config import DataConfig
from hierseg.data import (
    Int32Array,
    ResizedDataset,
    SegmentationDataset,
    TrainingTransform,
    describe_small,
    index_centroids,
    read_image_header,
)
from hierseg.errors import UsageError, UserError
from hierseg.size import SMALLEST_SIDE, Size
from hierseg.training.counting import require_labelled
from hierseg.training.feeding import naming_failures


def index_sources(
    settings: DataConfig, data: Datasets, console: Console | None = None
) -> list[Int32Array]:
    """Read all label maps, those of validation too, so that no run fails on one hours later.

    The result is cached: the next run on the same files does not read them again.

    Args:
        settings: The run's settings of data.
        data: The run's splits.
        console: The console for progress; None for standard error.

    Returns:
        (N, 4) int32 centroids of the training split, then of each further source.

    Raises:
        UserError: A file cannot be trained or validated on, or a split has no label maps; the
            message names the file or the split's flag.
    """
    console = console or Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with (
        naming_failures("start it again"),
        Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        ) as bars,
    ):

        def index(source: SegmentationDataset, flag: str) -> Int32Array:
            if not source.has_labels:
                raise UserError(
                    f"split '{source.split}' of {source.name} has images without label maps; "
                    f"choose another with {flag}."
                )
            task = bars.add_task(f"reading label maps of {source.split}", total=len(source))
            return index_centroids(
                source,
                settings.class_uniform_tile,
                settings.workers,
                lambda done, total: bars.update(task, completed=done, total=total),
            )

        centroids = [index(data.train, "--data.train-split")]
        centroids += [index(source, "--data.extra") for source in data.extra]
        centroids += [] if data.also is None else [index(data.also, "--data.also-split")]
        # Resized or cropped, labels are no longer of the file's size.
        val = data.val.dataset if isinstance(data.val, ResizedDataset) else data.val
        require_labelled([val], [index(val, "--data.val-split")])
        _require_large(data.val)
        if settings.full_crop:
            _require_alike(settings, data)
    return centroids


def _require_large(val: SegmentationDataset) -> None:
    """UserError for an image that validation would resize below a network's smallest size."""
    for sample in val.samples if val.has_files else ():
        size = read_image_header(sample.image).size
        if isinstance(val, ResizedDataset):
            size = val.run_size(size)
        if min(size) < SMALLEST_SIDE:
            raise UserError(describe_small(sample.image, size))


def _require_alike(settings: DataConfig, data: Datasets) -> None:
    """UserError for a whole image that is too small to train on; UsageError if whole images differ
    in size and so make no batch.
    """
    transform = TrainingTransform(
        None,
        long_edge=settings.long_edge,
        short_edge=settings.short_edge,
        enlarge=settings.enlarge,
    )
    first: Size | None = None
    for source in (data.train, *data.further):
        for sample in source.samples if source.has_files else ():
            size = transform.find_crop(read_image_header(sample.image).size)
            if min(size) < SMALLEST_SIDE:
                raise UserError(describe_small(sample.image, size))
            first = first or size
            if settings.batch > 1 and size != first:
                raise UsageError(
                    f"--data.full-crop takes images whole, and '{sample.image}' is {size} where "
                    f"another is {first}, so that they make no batch; give --data.batch 1, or "
                    "leave --data.full-crop out."
                )
