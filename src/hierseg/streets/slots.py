"""Which places along a street are taken, so that things do not overlap."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np


class Slots:
    """Stretches that are taken, by row (a lane, a kerb, a parking strip)."""

    def __init__(self) -> None:
        self._taken: dict[Hashable, list[tuple[float, float]]] = {}

    def free(self, row: Hashable, middle: float, length: float) -> bool:
        """Whether nothing stands within half a length (metres) of a place along."""
        start, stop = middle - length / 2, middle + length / 2
        return all(stop <= a or start >= b for a, b in self._taken.get(row, []))

    def take(self, row: Hashable, middle: float, length: float) -> None:
        """Mark a stretch as taken."""
        self._taken.setdefault(row, []).append((middle - length / 2, middle + length / 2))

    def claim(
        self, row: Hashable, length: float, span: tuple[float, float], rng: np.random.Generator
    ) -> float | None:
        """Take a free place for a length, its nearer end within a span; near ones are likelier.

        Returns:
            The middle, or None where six tries found nothing free.
        """
        for _ in range(6):
            share = rng.random() ** 1.7
            middle = span[0] + (span[1] - span[0]) * share + length / 2
            if self.free(row, middle, length):
                self.take(row, middle, length)
                return float(middle)
        return None
