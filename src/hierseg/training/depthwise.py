"""Depthwise convolutions in float32 where bf16 makes them slower."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class _InFloat(nn.Conv2d):
    """Runs as the class it is mixed into, in float32, under autocast too."""

    def forward(self, image: Tensor) -> Tensor:
        with torch.autocast(image.device.type, enabled=False):
            return super().forward(image.float())


def run_depthwise_in_float(network: nn.Module) -> int:
    """Take the depthwise convolutions that are strided or larger than 3x3 out of bf16, in place.

    On CPUs oneDNN has no fast backward pass in bf16 for those: in float32 a training step of
    ``lite0-ocr-hier`` takes a fifth less time (docs/log.md). Weights and names stay as they are.

    Returns:
        How many there were.
    """
    count = 0
    for module in network.modules():
        if not isinstance(module, nn.Conv2d) or isinstance(module, _InFloat):
            continue
        is_depthwise = module.groups == module.in_channels > 1
        if is_depthwise and (max(module.stride) > 1 or max(module.kernel_size) > 3):
            kind = type(module)
            module.__class__ = type(f"{kind.__name__}InFloat", (_InFloat, kind), {})
            count += 1
    return count
