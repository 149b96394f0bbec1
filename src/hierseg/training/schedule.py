"""The learning rate as a pure function of the step (METHOD section 5)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from hierseg.config import OptimConfig


@dataclass(frozen=True)
class Schedule:
    """The decay of the learning rate, with a linear warm-up over the first steps.

    With x the epoch over the epochs, ``"poly"`` is (1 - x)^e and ``"cosine"`` (1 + cos(pi x)) / 2.
    From epoch t on, ``"scl-poly"`` is ``rescale`` times (1 - (epoch - t) / (epochs - t))^e2, and
    ``"poly2"`` is (1 - x)^(2 e); before it they are poly.

    Attributes:
        epochs: Epochs of the whole run.
        steps_per_epoch: Optimiser steps in an epoch.
        exponent: e; 2 for the Cityscapes recipes, 1 for Mapillary.
        unit: ``"epoch"`` lets the rate fall once an epoch, as published; ``"step"`` every step.
        warmup_steps: Steps of the warm-up; 0 for none.
        kind: The decay.
        turn: t, in epochs.
        turn_exponent: e2.
        rescale: The factor from epoch t on.
    """

    epochs: int
    steps_per_epoch: int
    exponent: float
    unit: Literal["epoch", "step"] = "epoch"
    warmup_steps: int = 0
    kind: Literal["poly", "scl-poly", "poly2", "cosine"] = "poly"
    turn: int = 110
    turn_exponent: float = 1.5
    rescale: float = 1.0

    @classmethod
    def from_config(cls, config: OptimConfig, steps_per_epoch: int) -> Schedule:
        """The schedule that a configuration asks for."""
        return cls(
            epochs=config.epochs,
            steps_per_epoch=steps_per_epoch,
            exponent=config.poly_exponent,
            unit=config.schedule_unit,
            warmup_steps=config.warmup_steps,
            kind=config.schedule,
            turn=config.turn,
            turn_exponent=config.turn_exponent,
            rescale=config.rescale,
        )

    def factor(self, step: int) -> float:
        """The factor of the base rate at optimiser step ``step`` (0 is the first); in [0, 1], or up
        to ``rescale`` if that is more.

        The warm-up is multiplied with the decay, so that there is no jump at its end: step i of n
        warm-up steps has (i + 1) / n of the decay's factor.
        """
        if self.unit == "epoch":
            epoch = float(step // self.steps_per_epoch)
        else:
            epoch = step / self.steps_per_epoch
        factor = self._decay(epoch)
        return factor * min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else factor

    def _decay(self, epoch: float) -> float:
        left = max(0.0, 1 - epoch / self.epochs)
        if self.kind == "cosine":
            return 0.5 * (1 + math.cos(math.pi * (1 - left)))
        if self.kind == "poly" or epoch < self.turn:
            return float(left**self.exponent)
        if self.kind == "poly2":
            return float(left ** (2 * self.exponent))
        # After the last epoch the factor is 0, even if the turn would come later.
        left = max(0.0, 1 - (epoch - self.turn) / max(1, self.epochs - self.turn))
        return float(self.rescale * left**self.turn_exponent)
