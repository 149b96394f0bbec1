"""Batch norm synchronised over processes.

Torch's SyncBatchNorm refuses tensors on a CPU. This one computes the same, exactly in every
floating type, so that a run of several processes on a CPU equals one process with all their images.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from hierseg.faces import import_timm
from hierseg.processes import count_processes


class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(var + eps) * weight + bias by the moments over all processes."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The result, the mean, the biased variance, and the number of values."""
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        own = torch.full((1,), x.numel() // x.shape[1], dtype=wide.dtype, device=x.device)
        variance, mean = torch.var_mean(wide, _others(x), correction=0)
        moments = torch.cat([mean, variance, own])
        parts = [torch.empty_like(moments) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, moments)
        # The variance within processes plus that between them: a difference of sums of squares
        # would lose the digits of a small variance.
        together = torch.stack(parts)
        (means, variances), counts = together[:, :-1].chunk(2, 1), together[:, -1:]
        count = counts.sum()
        shares = counts / count
        mean = (shares * means).sum(0)
        variance = (shares * (variances + (means - mean).square())).sum(0)
        scale = (variance + eps).rsqrt()
        ctx.save_for_backward(x, weight, mean, scale, count)
        result = functional.batch_norm(wide, mean, variance, weight, bias, False, 0.0, eps)
        ctx.mark_non_differentiable(mean, variance, count)
        return result.to(x.dtype), mean, variance, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Every value's gradient depends on all processes' values through the moments."""
        x, weight, mean, scale, count = ctx.saved_tensors
        wide = upstream.to(mean.dtype)
        normal = (x.to(mean.dtype) - _spread(mean, x)) * _spread(scale, x)
        bias_gradient = wide.sum(_others(x))
        weight_gradient = (wide * normal).sum(_others(x))
        sums = torch.stack([bias_gradient, weight_gradient])
        dist.all_reduce(sums)
        of_mean, of_scale = sums / count
        gradient = wide - _spread(of_mean, x) - normal.mul_(_spread(of_scale, x))
        gradient *= _spread(scale * weight, x)
        return (
            gradient.to(x.dtype),
            weight_gradient.to(weight.dtype),
            bias_gradient.to(weight.dtype),
            None,
        )


class Synchronised(_BatchNorm):
    """Mixin for a batch norm: in training its mean and variance are those over all processes."""

    is_synchronised = True

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) to the same shape, with the activation of the class it is mixed into."""
        if not self.training or count_processes() == 1:
            plain: Tensor = super().forward(x)
            return plain
        result: Tensor
        result, mean, variance, count = _Normalise.apply(x, self.weight, self.bias, self.eps)
        self._follow(mean, variance, count)
        # timm's batch norms include their activation.
        for name in ("drop", "act"):
            part = getattr(self, name, None)
            result = result if part is None else part(result)
        return result

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Move the running statistics, the variance by its unbiased form, as torch does."""
        if not self.track_running_stats or self.running_mean is None or self.running_var is None:
            return
        rate = self.momentum
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if rate is None:
                rate = 1.0 / float(self.num_batches_tracked)
        assert rate is not None
        unbiased = variance * (count / (count - 1))
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), rate)
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), rate)


def synchronise_norms(network: nn.Module, device: torch.device) -> None:
    """Synchronise every batch norm of a network over all processes, in place.

    On a GPU by torch's SyncBatchNorm, on a CPU by ``Synchronised``. Parameters, buffers and their
    names stay the same.

    Args:
        network: The network. Its batch norms may be timm's, which include an activation.
        device: Where it is trained.

    Raises:
        ValueError: A batch norm has no weight and bias; every one of this package has them.
    """
    if device.type == "cuda":
        norm_act = import_timm("timm.layers.norm_act")
        convert: Any = norm_act.convert_sync_batchnorm  # torch's would drop timm's activations
        convert(network)
        return
    norms = [part for part in network.modules() if isinstance(part, _BatchNorm)]
    for norm in norms:
        if not norm.affine:
            raise ValueError(f"{norm} has no weight")
        if not isinstance(norm, Synchronised):
            kind = type(norm)
            norm.__class__ = type(f"Synchronised{kind.__name__}", (Synchronised, kind), {})


def _others(x: Tensor) -> list[int]:
    """All dimensions but the channels'."""
    return [0, *range(2, x.ndim)]


def _spread(values: Tensor, x: Tensor) -> Tensor:
    return values.view(1, -1, *[1] * (x.ndim - 2))
