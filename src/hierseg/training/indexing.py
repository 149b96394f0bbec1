"""Before the first step every pair of a run is looked at once."""

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
    """Read all label maps, of validation too, so that a run cannot die of one hours later.

    What was read is remembered: the next run on the same files does not read them again.

    Args:
        settings: Of the run.
        data: Its splits.
        console: Where progress is shown, standard error if none is given.

    Returns:
        (N, 4) int32 centroids of the training split, then of each extra source.

    Raises:
        UserError: Naming the file that cannot be trained or validated on, or the flag of a split
            without label maps.
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
        # Resized or cropped, labels are no longer of the file's size.
        val = data.val.dataset if isinstance(data.val, ResizedDataset) else data.val
        require_labelled([val], [index(val, "--data.val-split")])
        _require_large(data.val)
        if settings.full_crop:
            _require_alike(settings, data)
    return centroids


def _require_large(val: SegmentationDataset) -> None:
    """UserError naming an image that validation would run too small for a network."""
    for sample in val.samples if val.has_files else ():
        size = read_image_header(sample.image).size
        if isinstance(val, ResizedDataset):
            size = val.run_size(size)
        if min(size) < SMALLEST_SIDE:
            raise UserError(describe_small(sample.image, size))


def _require_alike(settings: DataConfig, data: Datasets) -> None:
    """UserError naming an image that training would take too small whole; UsageError where whole
    images make no batch.
    """
    transform = TrainingTransform(
        None,
        long_edge=settings.long_edge,
        short_edge=settings.short_edge,
        enlarge=settings.enlarge,
    )
    first: Size | None = None
    for source in (data.train, *data.extra):
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
