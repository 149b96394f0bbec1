"""Gradient checkpointing of the trunk (Chen et al., arXiv 1604.06174)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


class _Recomputed(nn.Module):
    """Mixin that keeps only a block's inputs and recomputes the block in the backward pass."""

    def forward(self, inputs: Any, *others: Any, **named: Any) -> Any:
        if not (self.training and torch.is_grad_enabled()):
            return super().forward(inputs, *others, **named)
        features = list(inputs) if isinstance(inputs, list) else [inputs]

        def run(*tensors: Tensor) -> Any:
            # A list of its own each time: HRNet's modules empty theirs.
            return super(_Recomputed, self).forward(
                list(tensors) if isinstance(inputs, list) else tensors[0], *others, **named
            )

        result = checkpoint(
            run,
            *features,
            use_reentrant=False,
            context_fn=lambda: (contextlib.nullcontext(), _statistics_held(self)),
        )
        if isinstance(inputs, list):
            inputs.clear()
        return result


def recompute_trunk(trunk: nn.Module) -> int:
    """Recompute each block of a trunk in the backward pass; changes the trunk in place.

    A block is a member of a container with two convolutions or more. Weights and names stay the
    same; batch norms' statistics follow the first pass only.

    Returns:
        Number of blocks; 0 for a trunk without any.
    """
    count = 0
    for block in list(_find_blocks(trunk)):
        kind = type(block)
        block.__class__ = type(f"{kind.__name__}Recomputed", (_Recomputed, kind), {})
        count += 1
    return count


def _find_blocks(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        is_held = isinstance(module, _CONTAINERS) and not isinstance(child, _CONTAINERS)
        layers = [part for part in child.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
        if is_held and len(layers) > 1:
            yield child
        else:
            yield from _find_blocks(child)


@contextlib.contextmanager
def _statistics_held(block: nn.Module) -> Iterator[None]:
    """Batch norms normalise by the batch, as in training, without updating their statistics.

    They still need statistics, since torch compares the tensors kept in the two passes. Their
    counters are replaced meanwhile, since torch's SyncBatchNorm requires one.
    """
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]
    before = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms if norm.training]
    for norm, _, count in before:
        norm.momentum = 0.0
        norm.num_batches_tracked = None if count is None else count.clone()
    try:
        yield
    finally:
        for norm, momentum, count in before:
            norm.momentum, norm.num_batches_tracked = momentum, count
