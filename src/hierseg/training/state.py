"""The state that a run needs to continue as if it had not stopped."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric.plugins import Precision

from hierseg.errors import UserError
from hierseg.models import CONVENTIONS, SegmentationNetwork
from hierseg.processes import count_processes, own_rank
from hierseg.training.ema import WeightAverage


@dataclass
class Progress:
    """The progress of a run.

    Attributes:
        epoch: Epochs completed, which is also the index of the current epoch.
        position: Steps done in the current epoch.
        step: Steps done in all.
        best_miou: Best mIoU on the validation split so far, in [0, 1]; -1 before the first.
        loss_sum: Sum of the total loss over the epoch's steps.
        seconds: Time that the epoch's steps took.
        fallbacks: How often RMI fell back to its BCE in the epoch.
        skipped: Steps of the run that were skipped, as loss or gradient was not finite.
        skipped_in_epoch: Steps of the epoch that were skipped.
        skipped_in_row: Number of steps skipped in a row up to now.
        pixels: Pixels with a class in this process's steps so far.
    """

    epoch: int = 0
    position: int = 0
    step: int = 0
    best_miou: float = -1.0
    loss_sum: float = 0.0
    seconds: float = 0.0
    fallbacks: int = 0
    skipped: int = 0
    skipped_in_epoch: int = 0
    skipped_in_row: int = 0
    pixels: int = 0

    @property
    def mean_loss(self) -> float:
        """Mean loss of the epoch's steps that were not skipped; NaN if all were."""
        counted = self.position - self.skipped_in_epoch
        return self.loss_sum / counted if counted else math.nan

    def advance(self, loss: float | None = None, pixels: int = 0) -> None:
        """Count a step, with its loss (None if skipped) and its pixels."""
        self.pixels += pixels
        self.position += 1
        self.step += 1
        if loss is None:
            self.skipped += 1
            self.skipped_in_epoch += 1
            self.skipped_in_row += 1
        else:
            self.loss_sum += loss
            self.skipped_in_row = 0

    def finish_epoch(self) -> None:
        """Count an epoch."""
        self.epoch += 1
        self.position = self.fallbacks = self.skipped_in_epoch = 0
        self.loss_sum = self.seconds = 0.0


@dataclass
class TrainingState:
    """The parts of a run that change with every step; they are collected, and restored in place.

    Attributes:
        is_whole: False within a step, when some parts may be updated and others not.
    """

    network: SegmentationNetwork
    optimiser: torch.optim.Optimizer
    precision: Precision
    average: WeightAverage[SegmentationNetwork] | None
    progress: Progress = field(default_factory=Progress)
    is_whole: bool = True

    @contextmanager
    def changing(self) -> Iterator[None]:
        """The context of a step; ``is_whole`` is False within it, and stays so if it fails."""
        self.is_whole = False
        yield
        self.is_whole = True

    def collect(self) -> dict[str, Any]:
        """Everything, by name; called on every process, as each has random generators."""
        content: dict[str, Any] = {
            "network": self.network.state_dict(),
            "conventions": {
                name: value
                for name, value in self.network.builder_arguments.items()
                if name in CONVENTIONS
            },
            "optimiser": self.optimiser.state_dict(),
            "precision": self.precision.state_dict(),
            "progress": asdict(self.progress),
            "generators": _gather(_read_generators()),
        }
        if self.average is not None:
            content["average"] = self.average.network.state_dict()
            content["average_updates"] = self.average.updates
        return content

    def restore(self, content: dict[str, Any], path: Path) -> None:
        """Restore a result of ``collect``, also of an older version, that was read from ``path``.

        Raises:
            UserError: It does not fit this run.
        """
        try:
            self.network.load_state_dict(content["network"])
            self._restore_optimiser(content["optimiser"])
            self._restore_precision(content["precision"])
            if self.average is not None:
                self.average.network.load_state_dict(content["average"])
                self.average.updates = _check_count(content["average_updates"])
            self.progress = _read_progress(content["progress"])
            if "generators" in content:
                own = content["generators"]
                if own_rank() < len(own):
                    _set_generators(own[own_rank()])
            else:
                torch.set_rng_state(content["random"])
        except _MISFITS as error:
            raise UserError(
                f"{path} does not fit this run's network; start anew with another --runtime.out."
            ) from error

    def _restore_optimiser(self, found: dict[str, Any]) -> None:
        """Check the state before it is loaded: torch would only fail at the first step."""
        own = [dict(group) for group in self.optimiser.param_groups]
        self.optimiser.load_state_dict(found)
        for before, after in zip(own, self.optimiser.param_groups, strict=True):
            for name in before.keys() - {"params"}:
                if not _is_like(after[name], before[name]):
                    raise TypeError(name)
        for parameter, values in self.optimiser.state.items():
            for value in values.values():
                is_fit = value is None or _is_number(value)
                if isinstance(value, torch.Tensor):
                    is_fit = value.shape == parameter.shape or value.numel() == 1
                if not is_fit:
                    raise TypeError("a state of another kind")

    def _restore_precision(self, found: dict[str, Any]) -> None:
        if not all(_is_number(value) for value in found.values()):
            raise TypeError("a scale that is no number")
        self.precision.load_state_dict(found)


_MISFITS = (
    LookupError, TypeError, ValueError, RuntimeError, AttributeError, ArithmeticError,
    AssertionError,
)  # fmt: skip
"""What comes of a state of another network, or of values of other types in it."""
_MOST = 1 << 53
_WORDS = 624
"""Of the state of a Mersenne twister."""


def read_conventions_of(content: dict[str, Any], path: Path) -> dict[str, Any] | None:
    """How a state's network normalises and resizes; None for a state of an older version.

    Raises:
        UserError: The state has values of other types than a run writes.
    """
    try:
        _read_progress(content["progress"])
        found: dict[str, Any] | None = content.get("conventions")
        if found is None or (isinstance(found, dict) and set(found) <= set(CONVENTIONS)):
            return found
    except _MISFITS:
        pass
    raise UserError(
        f"{path} holds what no training state does; start anew with another --runtime.out."
    )


def _read_progress(found: dict[str, Any]) -> Progress:
    progress = Progress(**found)
    for entry in fields(Progress):
        value = getattr(progress, entry.name)
        if entry.type == "int":
            _check_count(value)
        elif not _is_number(value):
            raise TypeError(entry.name)
    return progress


def _check_count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _MOST:
        raise TypeError("no count")
    return value


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < math.inf


def _is_like(found: Any, own: Any) -> bool:
    """Whether an optimiser's setting is one that stands for another."""
    if isinstance(own, list | tuple):
        return (
            isinstance(found, list | tuple)
            and len(found) == len(own)
            and all(map(_is_number, found))
        )
    if own is None or isinstance(own, bool):
        return found is None or isinstance(found, bool)
    return _is_number(found) if _is_number(own) else isinstance(found, type(own))


def _read_generators() -> dict[str, Any]:
    """Python's, numpy's, torch's and the GPUs', in types that can be read without running code."""
    name, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002  (whoever uses it)
    version, words, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [name, np.asarray(keys).tolist(), *rest],
        "python": [version, list(words), gauss],
    }


def _set_generators(found: dict[str, Any]) -> None:
    torch.set_rng_state(found["torch"])
    if torch.cuda.is_available() and len(found["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(found["cuda"])
    name, keys, *rest = found["numpy"]
    if len(keys) != _WORDS or not 0 <= rest[0] <= _WORDS:  # numpy itself would read beyond them
        raise ValueError("no state of a generator")
    np.random.set_state((name, np.array(keys, np.uint32), *rest))  # noqa: NPY002
    version, words, gauss = found["python"]
    random.setstate((version, tuple(words), gauss))


def _gather(own: dict[str, Any]) -> list[dict[str, Any]]:
    """What every process has, in the order of their ranks."""
    if count_processes() == 1:
        return [own]
    found: list[Any] = [None] * count_processes()
    torch.distributed.all_gather_object(found, own)
    return found
