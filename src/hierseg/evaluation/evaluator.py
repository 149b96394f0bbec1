"""Run a network over a labelled split and count, at the images' own resolution."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hierseg.checkpoint import Header
from hierseg.data import Record, SegmentationDataset, describe_small
from hierseg.engines import (
    Engine,
    ExportedEngine,
    describe_engine,
    expect_images,
    open_engine,
    returning_freed_memory,
)
from hierseg.errors import UsageError, UserError, lacks_memory
from hierseg.evaluation.counters import Criterion, LossCounter, ScaleCounter
from hierseg.evaluation.result import Evaluation
from hierseg.evaluation.scoring import (
    DetailWatcher,
    Labels,
    LogitWatcher,
    Score,
    Watcher,
    score,
)
from hierseg.inference import Fit, Footprint, Segmentation, Segmenter
from hierseg.models import SegmentationNetwork
from hierseg.options import RunOptions
from hierseg.processes import count_processes
from hierseg.size import SMALLEST_SIDE, Size


def evaluate(
    network: SegmentationNetwork | Engine,
    dataset: SegmentationDataset,
    scales: Sequence[float] | None = None,
    flip: bool = False,
    device: torch.device | str | None = "cpu",
    limit: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    options: RunOptions | None = None,
    watchers: Sequence[Watcher] = (),
    criterion: Criterion | None = None,
    per_scale: bool = False,
    on_miou: Callable[[float], None] | None = None,
    on_part: Callable[[str, int, int], object] | None = None,
) -> Evaluation:
    """Evaluate on whole images or in windows, one confusion matrix (METHOD section 9).

    A network is moved to the device, and left in the mode (training or evaluation) it was in.

    Args:
        network: A network with the data set's classes, or an engine, which stays on its device.
        dataset: A labelled split.
        scales: Scales of the image; 1 must be among them unless the network averages its scales.
            None takes the network's own.
        flip: Average logits with those of the mirrored image.
        device: The device to run on; None leaves the network where it is.
        limit: Only the first so many images.
        on_progress: Called with (images done, images in all) after each image.
        options: How the network is run, windows and batches included, instead of scales and flip.
            Logits are resized to the labels' size, also if images are run at a long edge.
        watchers: Each gets every image and its label map; a LogitWatcher also its logits, and a
            DetailWatcher each scale's attention and labels.
        criterion: A loss of each image, whose mean is reported besides the cross-entropy.
        per_scale: Also measure the logits of each scale alone.
        on_miou: Called with the mIoU so far after each image; of several processes, of its own.
        on_part: Called with ("window", done, total) while an image is run in windows.

    Raises:
        UserError: The classes are not the data set's, the split has no labels or images, or an
            image cannot be read.
    """
    check_classes(network, dataset)
    if options is None:
        options = RunOptions(scales=scales, flip=flip)  # type: ignore[arg-type] # checked below
    elif scales is not None or flip:
        raise UsageError("options say the scales and flip; give either, not both.")
    was_training = isinstance(network, nn.Module) and network.training
    try:
        segmenter = open_segmenter(network, options, device)
        segmenter.on_part = on_part
        counted = len(dataset) if limit is None else min(limit, len(dataset))
        expect_images(segmenter.engine, counted)
        by_labels = segmenter.decider is not None
        loss = None if by_labels else LossCounter(dataset, counted, criterion)
        alone = ScaleCounter(dataset, segmenter.scales) if per_scale else None
        seen = [*watchers, *(one for one in (loss, alone) if one is not None)]
        runner = Runner(segmenter, seen, was_training)
        found = score(
            dataset, runner.label, limit, on_progress, runner.watchers,
            batch=segmenter.options.batch, on_miou=on_miou,
        )  # fmt: skip
        return sum_up(RunDescription.of(segmenter), dataset, found, loss, alone)
    finally:
        if isinstance(network, nn.Module):
            network.train(was_training)


def open_segmenter(
    network: SegmentationNetwork | Engine,
    options: RunOptions,
    device: torch.device | str | None = None,
) -> Segmenter:
    """What runs a network over a split, at the network's own scales where none are given."""
    engine, options = open_engine(network, options, device), options.resolve()
    if options.scales is None:
        options = dataclasses.replace(options, scales=engine.scales)
    return Segmenter(engine, options)


class RunDescription(NamedTuple):
    """How images were run, in what a result says of it; the fields are those of ``Evaluation``.

    Attributes:
        run_at: At what size; empty for their own.
        decides: Whether what was run gives labels alone.
    """

    scales: tuple[float, ...]
    flip: bool
    engine: str
    gate: str
    mode: str
    fusion: str
    run_at: str
    decides: bool

    @classmethod
    def of(cls, segmenter: Segmenter) -> RunDescription:
        """That of a segmenter, once it has run."""
        options = segmenter.options
        edge, short = options.long_edge, options.short_edge
        run_at = "" if edge in (None, "own") else f"long edge {edge}"
        return cls(
            scales=segmenter.scales,
            flip=options.flip,
            engine=describe_engine(segmenter.engine),
            gate=options.describe_gate(),
            mode="whole" if segmenter.windows is None else segmenter.windows.describe(),
            fusion=options.fusion or "",
            run_at=run_at if short is None else f"short edge {short}",
            decides=segmenter.decider is not None,
        )


def sum_up(
    how: RunDescription,
    dataset: SegmentationDataset,
    found: Score,
    loss: LossCounter | None,
    alone: ScaleCounter | None,
) -> Evaluation:
    """What was counted, by this process and the others, and how images were run."""
    names = dataset.label_space.names
    mean, criterion = (None, None) if loss is None else loss.finish()
    return Evaluation(
        scores=found.matrix.scores(names),
        confusion=tuple(tuple(row) for row in found.matrix.matrix.tolist()),
        data=dataset.name,
        split=dataset.split,
        names=names,
        scales=how.scales,
        flip=how.flip,
        images=found.images,
        note=", ".join(filter(None, (how.run_at, found.note))),
        engine=how.engine,
        gate=how.gate,
        mode=how.mode,
        loss=mean,
        criterion=criterion,
        per_scale={} if alone is None else alone.finish(),
        counted_at=dataset.counted_at,
        fusion=how.fusion,
        processes=count_processes(),
    )


def _keep_label_watchers(watchers: Sequence[Watcher], decider: ExportedEngine) -> list[Watcher]:
    """Those that look at labels alone; UsageError for what needs more than an engine gives."""
    kept = [watcher for watcher in watchers if not isinstance(watcher, RequireFinite)]
    if any(isinstance(watcher, LogitWatcher | DetailWatcher) for watcher in kept):
        raise decider.lacks_logits(
            "what is measured or saved besides IoU (--calibration, --boundary, --save-panels)"
        )
    return kept


def _make_footprint(segmenter: Segmenter, was_training: bool) -> Footprint | None:
    """What images will need; None on a GPU, which says when it is full. Not for validation, which
    has what the optimiser has left.
    """
    if was_training or segmenter.engine.device.type != "cpu":
        return None
    return Footprint(segmenter.whole())


class Runner:
    """Runs a segmenter over images that come in batches of one size, and labels them.

    Args:
        segmenter: What runs them.
        watchers: The watchers; logits and details are given to those that want them.
        was_training: Whether training keeps a part of the memory.

    Attributes:
        watchers: Those that the engine's outputs suffice for.

    Raises:
        UsageError: The engine gives labels alone, and a watcher needs more.
    """

    def __init__(
        self, segmenter: Segmenter, watchers: Sequence[Watcher], was_training: bool = False
    ) -> None:
        if segmenter.decider is not None:
            watchers = _keep_label_watchers(watchers, segmenter.decider)
        self.watchers = watchers
        self.readers = [watcher for watcher in watchers if isinstance(watcher, LogitWatcher)]
        self.detailed = [watcher for watcher in watchers if isinstance(watcher, DetailWatcher)]
        self.segmenter = self.keeping = segmenter
        if self.detailed:
            self.keeping = Segmenter(segmenter.engine, segmenter.options, keep_scales=True)
        self.footprint = _make_footprint(self.keeping, was_training)

    def label(self, batch: Sequence[tuple[int, Record]]) -> Iterator[Tensor]:
        """The (H, W) train ids of each, in order, at the size of its labels."""
        if self.segmenter.decider is not None:
            yield from self._decide([record for _, record in batch])
            return
        keep = any(watcher.wants(index) for watcher in self.detailed for index, _ in batch)
        logits, details = self._run_or_miss([record for _, record in batch], keep)
        for place, (index, record) in enumerate(batch):
            with naming_memory(record.name):
                for reader in self.readers:
                    reader.look_at_logits(index, record, logits[place])
            for watcher in self.detailed if details else ():
                if watcher.wants(index):
                    watcher.look_at_details(index, record, details[place])
            yield logits[place].argmax(0)

    def _decide(self, records: Sequence[Record]) -> Iterator[Tensor]:
        """The labels of an engine that chooses the classes itself."""
        first = records[0]
        assert first.labels is not None
        if first.labels.shape != first.image.shape[:2]:
            decider = self.segmenter.decider
            assert decider is not None
            raise decider.lacks_logits(f"'{first.name}', whose labels are of another size,")
        with naming_memory(first.name):
            found = self.segmenter.segment([record.image for record in records])
        yield from (torch.from_numpy(one.labels).long() for one in found)

    def _run_or_miss(
        self, records: Sequence[Record], keep: bool
    ) -> tuple[Tensor, list[Segmentation]]:
        """``_run``; if memory does not suffice to keep each scale, and all detail watchers can miss
        an image, without them.
        """
        try:
            return self._run(records, keep)
        except LackingMemoryError:
            if not (keep and all(watcher.can_miss for watcher in self.detailed)):
                raise
        return self._run(records, keep=False)

    def _run(self, records: Sequence[Record], keep: bool) -> tuple[Tensor, list[Segmentation]]:
        """(B, K, H, W) logits at the size of the labels, and what is kept of each image; UserError
        naming an image that is too small, or too large for the memory.
        """
        first = records[0]
        assert first.labels is not None
        size, labelled = Size(*first.image.shape[:2]), Size(*first.labels.shape)
        if min(size) < SMALLEST_SIDE:
            raise UserError(describe_small(first.name, size))
        segmenter = self.keeping if keep else self.segmenter
        windows, count = segmenter.windows, len(records)
        part = size if windows is None else Size(*windows.tiles(size)[0][2:])
        found, details = [], list[Segmentation]()
        with naming_memory(first.name), fitting_memory(first.name, part, self.footprint) as fit:
            together = count if fit is None else self._count_together(part, count)
            images = [record.image for record in records]
            for start in range(0, count, together):
                part_images = images[start : start + together]
                if not keep:
                    found.append(segmenter.logits(part_images, labelled))
                    continue
                output = segmenter.run(part_images)
                found.append(segmenter.resize_logits(output.logits, labelled))
                details += segmenter.read(output._replace(logits=found[-1]), labelled)
        return (found[0] if len(found) == 1 else torch.cat(found)), details

    def _count_together(self, size: Size, count: int) -> int:
        """How many of ``count`` images fit into memory together."""
        if count == 1 or self.footprint is None:
            return count
        return max(1, self.footprint.fit(*size, count).together)


@contextmanager
def fitting_memory(name: str, size: Size, footprint: Footprint | None) -> Iterator[Fit | None]:
    """Run an image or a window of this size in the memory there is: freed memory is returned if it
    is tight, and a UserError is raised if it will not suffice, since the kernel would otherwise
    kill the process without a message.
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
    """Turn a lack of memory into a UserError that names the image."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        raise _lacking(name) from error


class LackingMemoryError(UserError):
    """There is too little memory for an image."""


def _lacking(name: str, figures: str = "") -> LackingMemoryError:
    return LackingMemoryError(
        f"there is not enough memory to run '{name}'{figures}; run images smaller (--long-edge, in "
        "training --data.long-edge) or at fewer scales (--scales, --eval.scales), or evaluate "
        "with --mode slide."
    )


class RequireFinite:
    """A watcher that ends an evaluation with a UserError if logits are NaN or infinite, since every
    pixel would count as the first class.
    """

    def look(self, index: int, record: Record, labels: Labels) -> None:
        """Nothing: labels do not show it."""

    def copy_for_worker(self) -> RequireFinite:
        """See ``PortableWatcher``."""
        return self

    def expect(self, index: int) -> None:
        """Nothing."""

    def take(self, index: int, seen: None) -> None:
        """Nothing: a copy that finds NaN ends the evaluation itself."""

    def look_at_logits(self, index: int, record: Record, logits: Tensor) -> None:
        """See ``require_finite``."""
        require_finite(logits, record.name)


def require_finite(logits: Tensor, name: str) -> None:
    """UserError, which names the image, if logits are NaN or infinite."""
    if not bool(logits.isfinite().all()):
        raise UserError(
            f"the network's outputs for '{name}' are NaN or infinite; use other weights."
        )


def check_classes(network: SegmentationNetwork | Engine, dataset: SegmentationDataset) -> None:
    """UserError if the network's classes are known not to be the data set's."""
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
