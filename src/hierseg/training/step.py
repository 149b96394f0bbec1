"""A training step: forward, losses, backward, clipping, update (METHOD sections 2 and 5)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from hierseg.assembly import Teacher
from hierseg.losses import WHOLE, CombinedLoss, Share
from hierseg.processes import sum_over_processes
from hierseg.training.distributed import mean_over_processes
from hierseg.training.state import TrainingState

LONGEST_ROW = 10
"""Steps in a row without a finite loss and gradient after which a run is lost."""
LONGEST_ROW_OF_SCALER = 30
"""The same with fp16, whose loss scale begins at 2^16 and halves with every skipped step."""


class Outcome(NamedTuple):
    """The result of a step.

    Attributes:
        losses: Named losses, detached; ``"loss"`` is the total.
        loss: The total; None if the step was skipped because loss or gradient was not finite.
    """

    losses: Mapping[str, Tensor]
    loss: float | None


class Stepper:
    """Performs the steps of a run.

    Args:
        fabric: The engine.
        model: The network inside the engine.
        optimiser: The optimiser inside the engine.
        criterion: The training loss.
        state: Network and averaged weights.
        clip_norm: Largest norm of the gradient; 0 for no limit.
        teacher: Whose outputs are learned too; None for nobody's.

    Attributes:
        longest_row: Steps in a row without a finite loss and gradient after which a run is lost.
    """

    def __init__(
        self,
        fabric: Fabric,
        model: Any,
        optimiser: Any,
        criterion: CombinedLoss,
        state: TrainingState,
        clip_norm: float = 0.0,
        teacher: Teacher | None = None,
    ) -> None:
        self._fabric = fabric
        self._teacher = teacher
        self._model = model
        self._optimiser = optimiser
        self._criterion = criterion
        self._state = state
        self._clip_norm = clip_norm
        self._statistics = _Statistics(state.network)
        # With fp16 gradients overflow regularly: the scaler then skips the step and scales less.
        self._has_scaler = getattr(state.precision, "scaler", None) is not None
        self.longest_row = LONGEST_ROW_OF_SCALER if self._has_scaler else LONGEST_ROW

    def step(self, group: Sequence[Mapping[str, Any]]) -> Outcome:
        """One update by the gradient of a group of batches, equal to one batch of all their images.

        If loss or gradient is not finite, nothing changes: weights, their average, and batch norms'
        statistics stay those of the step before.
        """
        self._statistics.keep()
        losses: dict[str, Tensor] = {}
        shares = self._share(group)
        for number, (batch, share) in enumerate(zip(group, shares, strict=True), start=1):
            batch = self._fabric.to_device(batch)
            with self._fabric.no_backward_sync(self._model, enabled=number < len(group)):
                found = self._find_losses(batch, share)
                self._fabric.backward(found["loss"])
            for name, value in found.items():
                value = value.detach()
                losses[name] = losses[name] + value if name in losses else value
        losses = mean_over_processes(losses)
        loss = self._update(float(losses["loss"]))
        return Outcome(losses, loss)

    def _find_losses(self, batch: Mapping[str, Any], share: Share) -> dict[str, Tensor]:
        output = self._model(batch["image"])
        found: dict[str, Tensor] = self._criterion(output, batch["labels"], share)
        if self._teacher is None:
            return found
        return self._teacher.add(found, output.logits, batch["image"], share)

    def _update(self, value: float) -> float | None:
        """Step, unless loss or gradient is not finite; returns the loss, None without a step."""
        # Of several processes this is the mean, which is finite for all or for none of them.
        if math.isfinite(value) and (self._has_scaler or math.isfinite(self._gradient_norm())):
            if not self._step():
                value = math.nan
        else:
            value = math.nan
        if math.isnan(value):
            self._statistics.bring_back()
        self._optimiser.zero_grad(set_to_none=True)
        return value if math.isfinite(value) else None

    def _step(self) -> bool:
        """Update weights and average; False if fp16's scaler found an infinite gradient."""
        if self._has_scaler:
            if self._clip_norm:
                self._clip()
            scaler = self._state.precision.scaler  # type: ignore[attr-defined]
            before = scaler.get_scale()
            self._optimiser.step()
            if scaler.get_scale() < before:
                return False
        else:
            self._optimiser.step()
        if self._state.average is not None:
            self._state.average.update(self._state.network)
        return True

    def _gradient_norm(self) -> float:
        """The norm of all gradients, after which they are clipped; the same on all processes."""
        if self._clip_norm:
            return float(self._clip())
        parameters = self._state.network.parameters()
        gradients = [p.grad for p in parameters if p.grad is not None]
        return float(torch.nn.utils.get_total_norm(gradients, foreach=True))

    def _clip(self) -> Tensor:
        norm = self._fabric.clip_gradients(
            self._model, self._optimiser, max_norm=self._clip_norm, error_if_nonfinite=False
        )
        assert norm is not None
        return norm

    def _share(self, group: Sequence[Mapping[str, Any]]) -> list[Share]:
        """The part of each batch in the group, over all processes."""
        if len(group) == 1:
            return [WHOLE]
        ignore = self._criterion.main.ignore
        counts = torch.stack([(batch["labels"] != ignore).sum() for batch in group])
        numbers = sum_over_processes(self._fabric.to_device(counts)).tolist()
        images = [len(batch["labels"]) for batch in group]
        return [
            Share(number / max(1, sum(numbers)), batch / sum(images))
            for number, batch in zip(numbers, images, strict=True)
        ]


class _Statistics:
    """The statistics of batch norms before a step, since a forward pass may make them NaN."""

    def __init__(self, network: torch.nn.Module) -> None:
        norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
        self._buffers = [buffer for norm in norms for buffer in norm.buffers()]
        self._kept = [torch.empty_like(buffer) for buffer in self._buffers]

    @torch.no_grad()
    def keep(self) -> None:
        if self._buffers:
            torch._foreach_copy_(self._kept, self._buffers)

    @torch.no_grad()
    def bring_back(self) -> None:
        if self._buffers:
            torch._foreach_copy_(self._buffers, self._kept)
