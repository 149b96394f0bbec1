"""The learning rate as a pure function of the step (METHOD section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hierseg.config import OptimConfig


@dataclass(frozen=True)
class PolySchedule:
    """Poly decay, ``(1 - progress)^exponent``, under a linear warm-up over the first steps.

    Attributes:
        epochs: Epochs of the whole run.
        steps_per_epoch: Optimiser steps in an epoch.
        exponent: e; 2 for the Cityscapes recipes, 1 for Mapillary.
        unit: ``"epoch"`` lets the rate fall once an epoch, as published; ``"step"`` every step.
        warmup_steps: Steps until the rate is no longer held down; 0 for none.
    """

    epochs: int
    steps_per_epoch: int
    exponent: float
    unit: Literal["epoch", "step"] = "epoch"
    warmup_steps: int = 0

    @classmethod
    def from_config(cls, config: OptimConfig, steps_per_epoch: int) -> PolySchedule:
        """The schedule that a configuration asks for."""
        return cls(
            epochs=config.epochs,
            steps_per_epoch=steps_per_epoch,
            exponent=config.poly_exponent,
            unit=config.schedule_unit,
            warmup_steps=config.warmup_steps,
        )

    def factor(self, step: int) -> float:
        """The factor of the base rate, in [0, 1], for optimiser step ``step`` (0 is the first).

        Warm-up multiplies, so that the two meet without a jump: step i of n warm-up steps takes
        (i + 1) / n of what poly gives.
        """
        if self.unit == "epoch":
            progress = (step // self.steps_per_epoch) / self.epochs
        else:
            progress = step / (self.steps_per_epoch * self.epochs)
        poly = float(max(0.0, 1.0 - progress) ** self.exponent)
        return poly * min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else poly
