"""Means of maps from an image and from its mirrored image."""

from __future__ import annotations

from torch import Tensor


def average_mirrored(first: Tensor, mirrored: Tensor) -> Tensor:
    """Mean of a (..., W) map and of one computed from the mirrored image."""
    return (first + mirrored.flip(-1)).mul_(0.5)


def average_scales(
    first: dict[float, Tensor] | None, mirrored: dict[float, Tensor] | None
) -> dict[float, Tensor] | None:
    """The means of the maps of each scale; None if there are none."""
    if first is None or mirrored is None:
        return None
    return {scale: average_mirrored(first[scale], mirrored[scale]) for scale in first}
