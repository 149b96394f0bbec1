"""Scenes that several tests look at."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from hierseg.size import Size
from hierseg.streets.rendering import draw_street

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="session")
def scenes() -> list[tuple[Pixels, Pixels]]:
    """Image and label ids of forty scenes of 128x256."""
    return [draw_street(seed, Size(128, 256)) for seed in range(40)]
