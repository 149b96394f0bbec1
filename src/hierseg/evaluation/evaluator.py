"""Run a network over a labelled split and count, at the images' own resolution."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn

from hierseg.checkpoint import Header
from hierseg.data import Record, SegmentationDataset, describe_small
from hierseg.engines import (
    Engine,
    describe_engine,
    expect_images,
    open_engine,
    returning_freed_memory,
)
from hierseg.errors import UsageError, UserError, lacks_memory
from hierseg.evaluation.result import Evaluation
from hierseg.evaluation.scoring import Labels, LogitWatcher, Watcher, score
from hierseg.inference import Fit, Footprint, Segmenter
from hierseg.models import SegmentationNetwork
from hierseg.options import RunOptions
from hierseg.size import SMALLEST_SIDE, Size


def evaluate(
    network: SegmentationNetwork | Engine,
    dataset: SegmentationDataset,
    scales: Sequence[float] | None = None,
    flip: bool = False,
    device: torch.device | str = "cpu",
    limit: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    options: RunOptions | None = None,
    watchers: Sequence[Watcher] = (),
) -> Evaluation:
    """Evaluate on whole images or by windows, one confusion matrix (METHOD section 9).

    A network is moved to the device, and left in the mode (training or evaluation) it was in.

    Args:
        network: Its classes must be the data set's; or an engine that runs one, where it is.
        dataset: A labelled split.
        scales: Scales of the image; 1 must be among them unless the network averages its scales.
            None takes the network's own.
        flip: Average logits with those of the mirrored image.
        device: Where the network runs.
        limit: Only the first so many images.
        on_progress: Called with (images done, images in all) after each image.
        options: How the network is run, by windows and in batches too, instead of scales and flip;
            logits are brought to the labels' size, whatever long edge images are run at.
        watchers: See each image and what it was labelled; a LogitWatcher its logits too.

    Raises:
        UserError: Other classes than the data set's, a split without labels or images, or an
            image that cannot be read.
    """
    check_classes(network, dataset)
    if options is None:
        options = RunOptions(scales=scales, flip=flip)  # type: ignore[arg-type] # checked below
    elif scales is not None or flip:
        raise UsageError("options say the scales and flip; give either, not both.")
    was_training = isinstance(network, nn.Module) and network.training
    try:
        engine, options = open_engine(network, options, device), options.resolve()
        if options.scales is None:
            options = dataclasses.replace(options, scales=engine.scales)
        segmenter = Segmenter(engine, options)
        expect_images(engine, len(dataset) if limit is None else min(limit, len(dataset)))
        runner = _Runner(segmenter, _make_footprint(segmenter, was_training), watchers)
        found = score(
            dataset, runner.label, limit, on_progress, watchers, batch=segmenter.options.batch
        )
    finally:
        if isinstance(network, nn.Module):
            network.train(was_training)
    edge = segmenter.options.long_edge
    run_at = "" if edge in (None, "own") else f"long edge {edge}"
    return Evaluation(
        scores=found.matrix.scores(dataset.label_space.names),
        confusion=tuple(tuple(row) for row in found.matrix.matrix.tolist()),
        data=dataset.name,
        split=dataset.split,
        names=dataset.label_space.names,
        scales=segmenter.scales,
        flip=segmenter.options.flip,
        images=found.images,
        note=", ".join(filter(None, (run_at, describe_engine(engine), found.note))),
        mode="whole" if segmenter.windows is None else segmenter.windows.describe(),
    )


def _make_footprint(segmenter: Segmenter, was_training: bool) -> Footprint | None:
    """What images will need; None on a GPU, which says when it is full. Not for validation, which
    has what the optimiser has left.
    """
    if was_training or segmenter.engine.device.type != "cpu":
        return None
    return Footprint(segmenter.whole())


class _Runner:
    """Runs a segmenter over images that come in batches of one size, and labels them."""

    def __init__(
        self, segmenter: Segmenter, footprint: Footprint | None, watchers: Sequence[Watcher]
    ) -> None:
        self.segmenter, self.footprint = segmenter, footprint
        self.readers = [watcher for watcher in watchers if isinstance(watcher, LogitWatcher)]

    def label(self, batch: Sequence[tuple[int, Record]]) -> Iterator[Tensor]:
        """The (H, W) train ids of each, in order, at the size of its labels."""
        records = [record for _, record in batch]
        for (index, record), logits in zip(batch, self._run(records), strict=True):
            for reader in self.readers:
                reader.look_at_logits(index, record, logits)
            yield logits.argmax(0)

    def _run(self, records: Sequence[Record]) -> Tensor:
        """(B, K, H, W) logits at the size of the labels; UserError naming an image that is too
        small, or too large for the memory.
        """
        first = records[0]
        assert first.labels is not None
        size, labelled = Size(*first.image.shape[:2]), Size(*first.labels.shape)
        if min(size) < SMALLEST_SIDE:
            raise UserError(describe_small(first.name, size))
        windows, count = self.segmenter.windows, len(records)
        part = size if windows is None else Size(*windows.tiles(size)[0][2:])
        with naming_memory(first.name), fitting_memory(first.name, part, self.footprint) as fit:
            together = count if fit is None else self._count_together(part, count)
            images = [record.image for record in records]
            parts = [images[i : i + together] for i in range(0, count, together)]
            found = [self.segmenter.logits(some, labelled) for some in parts]
        return found[0] if len(found) == 1 else torch.cat(found)

    def _count_together(self, size: Size, count: int) -> int:
        """How many of so many images the memory takes at once."""
        if count == 1 or self.footprint is None:
            return count
        return max(1, self.footprint.fit(*size, count).together)


@contextmanager
def fitting_memory(name: str, size: Size, footprint: Footprint | None) -> Iterator[Fit | None]:
    """Memory for an image, or a window, of a size: UserError where it will not suffice, as the
    kernel would end the process without a word; used sparingly where it is tight.
    """
    if footprint is None:
        yield None
        return
    fit = footprint.fit(*size, 1)
    if fit.together == 0:
        raise _lacking(name, f" ({fit.describe(*size)})")
    with returning_freed_memory() if fit.tight else nullcontext():
        yield fit


@contextmanager
def naming_memory(name: str) -> Iterator[None]:
    """UserError that names an image where there is too little memory for it."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        raise _lacking(name) from error


def _lacking(name: str, figures: str = "") -> UserError:
    return UserError(
        f"there is not enough memory to run '{name}'{figures}; run images smaller (--long-edge, in "
        "training --data.long-edge) or at fewer scales (--scales, --eval.scales), or evaluate "
        "with --mode slide."
    )


class RequireFinite:
    """A watcher that ends an evaluation with a UserError where a network gives no numbers, of which
    every pixel would count as the first class.
    """

    def look(self, index: int, record: Record, labels: Labels) -> None:
        """Nothing: labels do not show it."""

    def look_at_logits(self, index: int, record: Record, logits: Tensor) -> None:
        """UserError for what is not finite."""
        if not bool(logits.isfinite().all()):
            raise UserError(
                f"the network gives outputs for '{record.name}' that are no numbers (NaN or "
                "infinite); use other weights."
            )


def check_classes(network: SegmentationNetwork | Engine, dataset: SegmentationDataset) -> None:
    """UserError where the network's classes are not the data set's, as far as that is known."""
    space = dataset.label_space
    header = network.header
    if isinstance(header, Header) and header.label_space.names != space.names:
        raise UserError(
            f"the network was trained on the classes of '{header.label_space.name}' and "
            f"{dataset.name} has those of '{space.name}'; give weights trained on the latter."
        )
    if network.num_classes != space.num_classes:
        raise UserError(
            f"the network has {network.num_classes} classes and {dataset.name} has "
            f"{space.num_classes}; give weights trained on it."
        )
