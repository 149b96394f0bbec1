"""An evaluation whose images are read, run and counted by workers; their counts are added here, in
the way that a single process adds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from torch import Tensor

from hierseg.data import Record, SegmentationDataset
from hierseg.engines import Engine, expect_images
from hierseg.errors import UserError
from hierseg.evaluation.counters import LossCounter, ScaleCounter
from hierseg.evaluation.evaluator import (
    RunDescription,
    Runner,
    check_classes,
    open_segmenter,
    sum_up,
)
from hierseg.evaluation.result import Evaluation
from hierseg.evaluation.scoring import (
    Noting,
    PortableWatcher,
    Score,
    Watcher,
    count_images,
    describe_part,
    group_samples,
    read_ahead,
    score_group,
)
from hierseg.jobs import Hands, Report, Spreading, Workers
from hierseg.metrics import ConfusionMatrix
from hierseg.models import SegmentationNetwork
from hierseg.options import RunOptions

Block = tuple[int, ...]
"""Samples that follow each other and are labelled together where they are of one size."""


class Counted(NamedTuple):
    """The counts of a block by a worker.

    Attributes:
        matrix: (K, K) int64 pixel counts.
        seen: For each sample, what each watcher has seen; None for watchers that keep nothing.
        how: How the images were run.
    """

    matrix: Tensor
    seen: list[list[Any]]
    how: RunDescription


@dataclass(frozen=True)
class EvaluationPlan:
    """What a worker needs to evaluate samples; picklable.

    Attributes:
        load: Loads the network or engine.
        dataset: The split.
        options: How the network is run.
        watchers: Copies of the caller's watchers; None for a watcher that has no copy.
        images: Number of images of the whole evaluation.
    """

    load: Callable[[], SegmentationNetwork | Engine]
    dataset: SegmentationDataset
    options: RunOptions
    watchers: tuple[Watcher | None, ...]
    images: int

    def __call__(self) -> Hands[Block]:
        """The evaluating side, in the worker."""
        return _EvaluationHands(self)


class _EvaluationHands(Hands[Block]):
    """Evaluates blocks, and reports the counts of each."""

    def __init__(self, plan: EvaluationPlan) -> None:
        self._dataset = plan.dataset
        network = plan.load()
        check_classes(network, plan.dataset)
        self._segmenter = open_segmenter(network, plan.options)
        expect_images(self._segmenter.engine, plan.images)
        decides = self._segmenter.decider is not None
        # Labels alone have no loss, which is measured unasked.
        self._places = [
            None if decides and isinstance(watcher, LossCounter) else watcher
            for watcher in plan.watchers
        ]
        looking = [watcher for watcher in self._places if watcher is not None]
        self._runner = Runner(self._segmenter, looking)

    def run(self, items: Iterable[Block], report: Callable[[Report], None]) -> None:
        """See ``Hands``."""
        for block, records in read_ahead(self._read, items):
            report(Report(_key(block), self._count(zip(block, records, strict=True))))

    def _read(self, block: Block) -> list[Record]:
        return [self._dataset.read(index) for index in block]

    def _count(self, samples: Iterable[tuple[int, Record]]) -> Counted:
        space = self._dataset.label_space
        matrix = ConfusionMatrix(space.num_classes, space.ignore)
        seen = []
        for group in group_samples(samples, self._segmenter.options.batch):
            for index in score_group(group, self._runner.label, matrix, self._runner.watchers):
                seen.append(
                    [
                        one.hand_over(index) if isinstance(one, Noting) else None
                        for one in self._places
                    ]
                )
        return Counted(matrix.matrix, seen, RunDescription.of(self._segmenter))


def evaluate_elsewhere(
    load: Callable[[], SegmentationNetwork | Engine],
    dataset: SegmentationDataset,
    workers: Workers,
    options: RunOptions,
    limit: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    watchers: Sequence[PortableWatcher] = (),
    per_scale: bool = False,
    on_miou: Callable[[float], None] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Evaluate a network on workers; the outcome is that of ``evaluate`` to the last digit.

    A lost worker is replaced, and the samples that it had not reported are run again.

    Args:
        load: Loads the network or engine in a worker; picklable.
        dataset: A labelled split, whose files the workers find under the same paths.
        workers: The workers.
        options: How the network is run.
        limit: Only the first so many images.
        on_progress: Called with (images done, images in all) after each block.
        watchers: Their copies in the workers see each image.
        per_scale: Also measure the logits of each scale alone.
        on_miou: Called with the mIoU so far.
        say: Called with lines for the user.

    Raises:
        UserError: As in ``evaluate``; or workers are lost again and again.
    """
    counted, space = count_images(dataset, limit), dataset.label_space
    loss = LossCounter(dataset, counted)
    alone = ScaleCounter(dataset) if per_scale else None
    watchers = [*watchers, loss, *([] if alone is None else [alone])]
    matrix = ConfusionMatrix(space.num_classes, space.ignore)
    done, how = 0, list[RunDescription]()

    def take(report: Report) -> None:
        nonlocal done
        first = int(report.key)
        if report.content is None:
            raise UserError(f"'{dataset.samples[first].name}': {report.reason}.")
        found = cast(Counted, report.content)
        matrix.matrix += found.matrix
        how[:] = [found.how]
        for index, seen in enumerate(found.seen, first):
            for watcher, one in zip(watchers, seen, strict=True):
                if one is not None:
                    watcher.take(index, one)
        done += len(found.seen)
        if on_miou is not None:
            on_miou(matrix.scores(space.names).miou)
        if on_progress is not None:
            on_progress(done, counted)

    def expect(blocks: Iterable[Block]) -> Iterator[list[Block]]:
        for block in blocks:
            for watcher in watchers:
                for index in block:
                    watcher.expect(index)
            yield [block]

    copies = tuple(watcher.copy_for_worker() for watcher in watchers)
    plan = EvaluationPlan(load, dataset, options, copies, counted)
    with workers.hire(plan) as crew:
        Spreading(crew, _key, take, say=say, images=len, again="run the same command again").run(
            expect(_divide(counted, options.batch))
        )
    score = Score(matrix, counted, describe_part(dataset, counted))
    return sum_up(how[0], dataset, score, None if how[0].decides else loss, alone)


def _divide(images: int, batch: int) -> Iterator[Block]:
    """All samples in the blocks that one process would label together."""
    for start in range(0, images, batch):
        yield tuple(range(start, min(start + batch, images)))


def _key(block: Block) -> str:
    return str(block[0])
