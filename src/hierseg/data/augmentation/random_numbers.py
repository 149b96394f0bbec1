"""Numbers drawn from a sample's own generator."""

from __future__ import annotations

import torch
from torch import Generator


def draw_uniform(generator: Generator, low: float = 0.0, high: float = 1.0) -> float:
    """A number from ``low`` to below ``high``."""
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))
