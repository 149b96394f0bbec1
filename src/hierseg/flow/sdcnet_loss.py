"""SDC-Net's loss (METHOD section 8): colours, edges, smoothness of the flow."""

from __future__ import annotations

from torch import Tensor

from hierseg.flow.warping import warp

COLOR, EDGES, SMOOTHNESS = 0.7, 0.2, 0.1
"""Weights of the three parts."""


def measure_reconstruction(source: Tensor, target: Tensor, flow: Tensor) -> dict[str, Tensor]:
    """The parts of the loss, weighted, by name; their sum is the loss.

    ``color``: mean absolute difference of target and moved source, images counted from 0 to 1;
    ``edges``: mean absolute difference of their absolute forward differences, in x plus in y;
    ``smoothness``: mean absolute forward difference of the flow, in x plus in y, in pixels.

    Args:
        source: (B, 3, H, W) float from 0 to 255.
        target: The same.
        flow: (B, 2, H, W) backward flow, in pixels.

    Returns:
        Scalars.
    """
    made, wanted = warp(source, flow) / 255, target / 255
    pairs = zip(_differences(made), _differences(wanted), strict=True)
    edges = [(one.abs() - other.abs()).abs().mean() for one, other in pairs]
    across, down = _differences(flow)
    return {
        "color": COLOR * (made - wanted).abs().mean(),
        "edges": EDGES * (edges[0] + edges[1]),
        "smoothness": SMOOTHNESS * (across.abs().mean() + down.abs().mean()),
    }


def _differences(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Forward differences in x and in y."""
    return maps[..., :, 1:] - maps[..., :, :-1], maps[..., 1:, :] - maps[..., :-1, :]
