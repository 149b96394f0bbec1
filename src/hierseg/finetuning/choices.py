"""What a user may choose of a fine-tuning; all else is planned. No torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from hierseg.errors import UsageError


@dataclass(frozen=True)
class Choices:
    """What was asked for; None leaves it to the plan.

    Attributes:
        weights: What training starts from, as ``open_weights`` takes it.
        epochs: Passes over the training images.
        lr: Base learning rate.
        batch: Images a step.
        device: auto, cpu, cuda or cuda:N.
        seed: Of the split and of training.

    Raises:
        UsageError: A number that cannot be.
    """

    weights: str
    epochs: int | None = None
    lr: float | None = None
    batch: int | None = None
    device: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for flag, value in (("--epochs", self.epochs), ("--batch", self.batch)):
            if value is not None and value < 1:
                raise UsageError(f"{flag} {value} leaves nothing to do; give 1 or more.")
        if self.lr is not None and not 0 < self.lr <= 1:
            raise UsageError(f"--lr {self.lr:g} is out of range; give one above 0, up to 1.")
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed} is negative; give 0 or more.")

    def to_dict(self) -> dict[str, Any]:
        """What a run must have been asked for to be the same one; where it runs is free."""
        return {name: v for name, v in dataclasses.asdict(self).items() if name != "device"}
