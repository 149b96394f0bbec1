"""Initial values of convolutions."""

from __future__ import annotations

from torch import nn


def initialise_convolutions(module: nn.Module) -> None:
    """Draw every convolution's weights as He et al. (arXiv 1502.01852) do, by fan-out for ReLU.

    On torch's meta device there is nothing to draw, and drawing nothing takes long there.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d) and not part.weight.is_meta:
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
