"""The shapes of crowns: balls of leaves, computed once on a coarse grid and used by every plant.

A crown fills the square from -1 to 1. Its fields say where it is and how it bulges; light, size,
leaves and colour come in when a plant is painted.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

GRID = 48
"""Rows and columns of the fields."""

Field = npt.NDArray[np.float32]

KINDS = {"broad": 10, "fir": 4, "bush": 6, "hedge": 2}
"""How many crowns there are of each kind."""


class Crown(NamedTuple):
    """Fields (GRID, GRID), rows from the top down.

    Attributes:
        inside: Above 0 inside the crown, 1 in the middle of a ball.
        right: How much the nearest balls' surface looks to the right, about -1..1.
        up: How much it looks up.
    """

    inside: Field
    right: Field
    up: Field


@cache
def crown(kind: str, number: int) -> Crown:
    """A crown of a kind; numbers run from 0 up to KINDS[kind]."""
    rng = np.random.default_rng([sorted(KINDS).index(kind), number])
    balls = {"broad": _broad, "fir": _fir, "bush": _bush, "hedge": _hedge}[kind](rng)
    axis = np.linspace(-1, 1, GRID)
    dx = (axis[None, :, None] - balls[:, 0]) / balls[:, 2]
    dy = (-axis[:, None, None] - balls[:, 1]) / balls[:, 2]
    inside = 1 - dx**2 - dy**2
    weight = np.exp(3.5 * np.maximum(inside, -30))
    weight /= weight.sum(axis=2, keepdims=True)
    fields = (inside.max(axis=2), (weight * dx).sum(axis=2), (weight * dy).sum(axis=2))
    return Crown(*(field.astype(np.float32) for field in fields))


def _broad(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    count = int(rng.integers(9, 16))
    angle, away = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count))
    balls = np.column_stack(
        [0.62 * away * np.cos(angle), 0.6 * away * np.sin(angle), rng.uniform(0.3, 0.46, count)]
    )
    balls[0] = (0, 0, 0.62)
    return balls


def _fir(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    up = np.linspace(-0.8, 0.9, 10)
    return np.column_stack([rng.normal(0, 0.05, 10), up, 0.62 * (1.0 - up) / 1.85 + 0.1])


def _bush(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    count = int(rng.integers(5, 9))
    return np.column_stack(
        [
            rng.uniform(-0.6, 0.6, count),
            rng.uniform(-0.7, 0.35, count),
            rng.uniform(0.36, 0.56, count),
        ]
    )


def _hedge(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    x, y = np.meshgrid(np.linspace(-0.7, 0.7, 4), np.linspace(-0.85, 0.6, 3))
    return np.column_stack([x.ravel(), y.ravel(), rng.uniform(0.42, 0.5, x.size)])
