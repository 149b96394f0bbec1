"""Batch norms folded into the convolutions before them."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from hierseg.models import SegmentationNetwork

SIDE = 64
"""Side of the image that is run to find which batch norm follows which convolution."""
TOLERANCE = 1e-3
"""Largest difference of logits by rounding, as a share of the largest logit."""


@torch.no_grad()
def fold_norms(network: SegmentationNetwork) -> SegmentationNetwork:
    """A copy in evaluation mode whose batch norms are folded into the convolutions before them.

    The network is run once to find the pairs. If folding changes the logits, the copy keeps its
    batch norms.
    """
    folded = copy.deepcopy(network).eval().requires_grad_(False)
    device = next(folded.parameters()).device
    image = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).to(device)
    pairs, before = _find_pairs(folded, image)
    for convolution, norm in pairs:
        _fold(folded, convolution, norm)
    if _is_near(before, folded.forward_scale(image)):
        return folded
    return copy.deepcopy(network).eval().requires_grad_(False)


def _find_pairs(network: SegmentationNetwork, image: Tensor) -> tuple[list[tuple[str, str]], Any]:
    """Names of convolutions and of the batch norms that are the only ones to take their output; and
    the network's output.
    """
    names = {module: name for name, module in network.named_modules()}
    made: dict[int, tuple[nn.Module, Tensor]] = {}
    pairs: dict[str, str] = {}
    calls: dict[nn.Module, int] = {}

    def note(module: nn.Module, inputs: Any, output: Tensor) -> None:
        calls[module] = calls.get(module, 0) + 1
        if isinstance(module, nn.Conv2d):
            made[id(output)] = (module, output)  # kept, so that no other has its id
        elif (found := made.get(id(inputs[0]))) is not None:
            pairs[names[found[0]]] = names[module]

    kinds = (nn.Conv2d, nn.BatchNorm2d)
    hooks = [m.register_forward_hook(note) for m in network.modules() if isinstance(m, kinds)]
    try:
        output = network.forward_scale(image)
    finally:
        for hook in hooks:
            hook.remove()
    once = {names[module] for module, count in calls.items() if count == 1}
    return [pair for pair in pairs.items() if once.issuperset(pair)], output


def _fold(network: nn.Module, convolution: str, norm: str) -> None:
    first, second = network.get_submodule(convolution), network.get_submodule(norm)
    assert isinstance(first, nn.Conv2d)
    assert isinstance(second, nn.BatchNorm2d)
    assert second.running_mean is not None
    assert second.running_var is not None
    first.weight, first.bias = fuse_conv_bn_weights(
        first.weight,
        first.bias,
        second.running_mean,
        second.running_var,
        second.eps,
        second.weight,
        second.bias,
    )
    # timm's batch norms include their activation.
    rest = [part for part in (getattr(second, "drop", None), getattr(second, "act", None)) if part]
    parent, _, name = norm.rpartition(".")
    setattr(network.get_submodule(parent), name, nn.Sequential(*rest) if rest else nn.Identity())


def _is_near(before: Any, after: Any) -> bool:
    for one, other in ((before.logits, after.logits), (before.attention, after.attention)):
        if one is not None and other is not None:
            bound = TOLERANCE * float(one.abs().max())
            if not bool(((one - other).abs() <= bound).all()):
                return False
    return True
