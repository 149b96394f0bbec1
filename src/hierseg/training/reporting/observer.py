"""Observers of a training run, and the reports that they get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from hierseg.evaluation import Evaluation
    from hierseg.media import Picture


@dataclass(frozen=True)
class RunReport:
    """A report at the start of a run.

    Attributes:
        folder: The run folder.
        recipe: Name of the recipe.
        model: Name of the network.
        device: The device that it trains on, e.g. ``"cuda:0"``.
        images: Images of the training split.
        validation_images: Images of a validation.
        epochs: Epochs of the run.
        steps_per_epoch: Steps of an epoch.
        step: Steps done already; 0 unless the run is resumed.
        is_dry_run: Whether ``runtime.limit_batches`` cuts the epochs short.
    """

    folder: Path
    recipe: str
    model: str
    device: str
    images: int
    validation_images: int
    epochs: int
    steps_per_epoch: int
    step: int = 0
    is_dry_run: bool = False


@dataclass(frozen=True)
class StepReport:
    """A report of a step.

    Attributes:
        epoch: The epoch's number, from 1.
        epochs: Epochs of the run.
        step: Steps done in all, this one included.
        steps: Steps of the run.
        position: Steps done in this epoch, this one included.
        steps_per_epoch: Steps of an epoch.
        losses: Named losses; ``"loss"`` is the total.
        lr: The highest learning rate of the step.
        images_per_second: Images trained a second, over the last steps.
        seconds_left: Seconds until the last step at this speed, without validation.
        skipped: Steps of the run skipped so far because loss or gradient was not finite.
        is_logged: Whether the journal records it: one in ``runtime.log_every`` steps.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    position: int
    steps_per_epoch: int
    losses: Mapping[str, float]
    lr: float
    images_per_second: float
    seconds_left: float
    skipped: int = 0
    is_logged: bool = True


@dataclass(frozen=True)
class EpochReport:
    """A report of an epoch, after its validation.

    Attributes:
        epoch: The epoch's number, from 1.
        epochs: Epochs of the run.
        step: Steps done in all.
        loss: Mean total loss over the epoch's steps; NaN if all were skipped.
        seconds: Seconds that the epoch took, validation included.
        evaluation: The validation's result; None if the epoch was not validated (``eval.every``).
        rmi_fallbacks: How often region mutual information fell back to its BCE.
        skipped: Steps of the epoch skipped because loss or gradient was not finite.
        pictures: Name -> (h, w, 3) uint8 RGB: image, truth, prediction and the attention of each
            scale, side by side.
    """

    epoch: int
    epochs: int
    step: int
    loss: float
    seconds: float
    evaluation: Evaluation | None = None
    rmi_fallbacks: int = 0
    skipped: int = 0
    pictures: Mapping[str, Picture] = field(default_factory=dict)


class Observer:
    """Is notified while a network trains; override the methods that you need.

    With several processes, only observers of the first are notified. An exception in an observer
    ends the run, which can be resumed from its last checkpoint.

    Example:
        class Losses(Observer):
            def __init__(self) -> None:
                self.losses: list[float] = []

            def on_epoch(self, report: EpochReport) -> None:
                self.losses.append(report.loss)
    """

    def on_begin(self, report: RunReport) -> None:
        """The run starts; the first step comes next."""

    def wants_step(self) -> bool:
        """Whether ``on_step`` is to be called for the finished step even if the journal does not
        record it. Reading the losses then waits for the device.
        """
        return False

    def on_step(self, report: StepReport) -> None:
        """A step is done; called every ``runtime.log_every`` steps, and if ``wants_step``."""

    def on_validation(self, done: int, images: int) -> None:
        """A validation has seen ``done`` of its ``images``."""

    def on_epoch(self, report: EpochReport) -> None:
        """An epoch is trained, validated and saved."""

    def on_message(self, line: str) -> None:
        """A line for the user; it may come before ``on_begin``."""

    def on_end(self, error: BaseException | None) -> None:
        """The run is over: complete if ``error`` is None, else ended by it."""


class Observers(Observer):
    """Several observers told as one, in their order; a context manager that tells them the end.

    Args:
        observers: Those who are told.
    """

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.on_end(error)

    def on_begin(self, report: RunReport) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.on_begin(report)

    def wants_step(self) -> bool:
        """Whether one does."""
        return any(observer.wants_step() for observer in self._observers)

    def on_step(self, report: StepReport) -> None:
        """Tell those who want to know; all of a step that is logged."""
        for observer in self._observers:
            if report.is_logged or observer.wants_step():
                observer.on_step(report)

    def on_validation(self, done: int, images: int) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.on_validation(done, images)

    def on_epoch(self, report: EpochReport) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.on_epoch(report)

    def on_message(self, line: str) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.on_message(line)

    def on_end(self, error: BaseException | None) -> None:
        """Tell all, even where one of them fails."""
        with ExitStack() as stack:
            for observer in reversed(self._observers):
                stack.callback(observer.on_end, error)
