"""Torch's own runners: a network's modules made faster, run one by one or compiled.

Shape letters: B batch, h and w of an image at its scale.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from hierseg.engines.folding import fold_norms
from hierseg.models import ScaleOutput, SegmentationNetwork

DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class ModuleRunner:
    """Runs a network with folded batch norms and channels last, in a precision of the device.

    Args:
        network: The network; a copy of it is run, on the same device.
        precision: float32, bf16 or fp16.
    """

    name = "torch"

    def __init__(self, network: SegmentationNetwork, precision: str = "float32") -> None:
        self.precision = precision
        self._dtype = DTYPES[precision]
        self._network = fold_norms(network)
        if self._dtype != torch.float32 and _is_on_cpu(self._network):
            _keep_depthwise(self._network)
        # A 1x1 kernel has both memory formats at once, so its strides do not show which it has.
        self._network.to(memory_format=torch.channels_last)

    def run_scale(
        self, image: Tensor, attention: bool, regions: Tensor | None = None
    ) -> ScaleOutput:
        """See ``ScaleRunner``."""
        image = image.contiguous(memory_format=torch.channels_last)
        with torch.autocast(image.device.type, self._dtype, enabled=self._dtype != torch.float32):
            output = self._compute(image, regions, attention)
        return as_floats(output)

    def _compute(self, image: Tensor, regions: Tensor | None, attention: bool) -> ScaleOutput:
        return self._network.forward_scale(image, regions, attention=attention)


class CompiledRunner(ModuleRunner):
    """The same, compiled by torch.compile; the first image of a size may take minutes on a CPU."""

    name = "compile"

    def __init__(self, network: SegmentationNetwork, precision: str = "float32") -> None:
        super().__init__(network, precision)
        self._compiled: Callable[..., Any] = torch.compile(super()._compute)

    def _compute(self, image: Tensor, regions: Tensor | None, attention: bool) -> ScaleOutput:
        output: ScaleOutput = self._compiled(image, regions, attention)
        return output


def as_floats(output: ScaleOutput) -> ScaleOutput:
    """The same in float32, without auxiliary logits."""
    given = output._replace(auxiliary=None)
    floats = {
        name: part.float() for name, part in given._asdict().items() if isinstance(part, Tensor)
    }
    return given._replace(**floats)


class _InFloat(nn.Module):
    """Runs one convolution in float32 in a network of another precision."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, h, w) to the convolution's output in float32."""
        with torch.autocast(image.device.type, enabled=False):
            result: Tensor = self.convolution(image.float())
        return result


def _keep_depthwise(network: nn.Module) -> None:
    """Run depthwise convolutions in float32: in bf16 they take several times as long on CPUs."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv2d) and child.groups == child.in_channels > 1:
                setattr(parent, name, _InFloat(child))


def _is_on_cpu(network: nn.Module) -> bool:
    return next(network.parameters()).device.type == "cpu"
