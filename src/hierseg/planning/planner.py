"""The plan of a run: estimates, and settings that would make it fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from hierseg.config import Experiment
from hierseg.errors import UsageError
from hierseg.labels import LabelSpace
from hierseg.planning.advice import Advice, advise_evaluation, advise_training
from hierseg.planning.estimate import (
    Estimate,
    estimate_evaluation,
    estimate_training,
    needs_two_images,
)
from hierseg.planning.overheads import add_overheads, read_resident
from hierseg.size import Size


@dataclass(frozen=True)
class Plan:
    """What a run needs.

    Attributes:
        training: Estimate of a step of one process.
        evaluation: Estimate of the evaluation of one image.
        for_training: Advice to make a step fit; None if it fits or no limit was given.
        for_evaluation: Advice to make an evaluation fit; None likewise.
    """

    training: Estimate
    evaluation: Estimate
    for_training: tuple[Advice, ...] | None = None
    for_evaluation: tuple[Advice, ...] | None = None


class Planner:
    """Plans runs on data of given classes and image size.

    Args:
        space: The classes.
        size: Size of an image at validation.
        processes: Number of processes of the run.
        limit: Memory of a GPU in bytes; None plans for this machine's CPU.
    """

    def __init__(
        self, space: LabelSpace, size: Size, processes: int = 1, limit: int | None = None
    ) -> None:
        self._space = space
        self._size = size
        self._processes = processes
        self._limit = limit
        self._program = read_resident() if limit is None else None
        self._on_progress: Callable[[int], None] = lambda _done: None
        self._done = 0

    def plan(
        self, experiment: Experiment, on_progress: Callable[[int], None] | None = None
    ) -> Plan:
        """Estimate a run; ``on_progress`` is called with the number of estimates done."""
        if on_progress is not None:
            self._on_progress = on_progress
        training, evaluation = self.of_training(experiment), self.of_evaluation(experiment)
        limit = self._limit
        tried: tuple[Advice, ...] | None = None
        tried_evaluation: tuple[Advice, ...] | None = None
        if limit is not None and training.total > limit:
            of_change = partial(self._of_change, experiment.data.batch)
            tried = tuple(advise_training(experiment, limit, training, of_change))
        if limit is not None and evaluation.total > limit:
            tried_evaluation = tuple(advise_evaluation(experiment, limit, self.of_evaluation))
        return Plan(training, evaluation, tried, tried_evaluation)

    def of_training(self, experiment: Experiment) -> Estimate:
        """Estimate of a training step, overheads included."""
        return self._finish(estimate_training(experiment, self._space, self._processes))

    def _of_change(self, batch: int, changed: Experiment) -> Estimate:
        """Estimate of a changed run whose batch was ``batch``; UsageError if it cannot be trained.

        A recipe that has one image a process from the start is meant for several processes.
        """
        is_alone = changed.data.batch == 1 < batch and self._processes == 1
        if is_alone and needs_two_images(changed, self._space):
            raise UsageError(
                "a network with ASPP cannot be trained on a batch of one image; take 2 or more."
            )
        return self.of_training(changed)

    def of_evaluation(self, experiment: Experiment) -> Estimate:
        """Estimate of the evaluation of an image, overheads included."""
        return self._finish(estimate_evaluation(experiment, self._space, self._size))

    def _finish(self, estimate: Estimate) -> Estimate:
        self._done += 1
        self._on_progress(self._done)
        return add_overheads(estimate, self._program)
