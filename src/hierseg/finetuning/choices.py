"""The settings of a fine-tuning that a user may choose; the rest is planned. No torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from hierseg.errors import UsageError


@dataclass(frozen=True)
class Choices:
    """The user's settings; None leaves a setting to the plan.

    Attributes:
        weights: The initial weights, as ``open_weights`` takes them.
        epochs: Passes over the training images, 1 or more.
        lr: Base learning rate, in (0, 1].
        batch: Images a step, 1 or more.
        device: auto, cpu, cuda or cuda:N.
        seed: Seed of the split and of training, 0 or more.

    Raises:
        UsageError: A number is out of range.
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
        """The settings that a continued run must share; the device is not among them."""
        return {name: v for name, v in dataclasses.asdict(self).items() if name != "device"}
