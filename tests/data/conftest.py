from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Writer = Callable[..., Path]


@pytest.fixture
def write_image(tmp_path: Path) -> Writer:
    """Writes a random RGB image of a (height, width) below tmp_path."""

    def write(name: str, size: tuple[int, int] = (12, 16), **options: object) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(pixels).save(path, **options)
        return path

    return write


@pytest.fixture
def write_labels(tmp_path: Path) -> Writer:
    """Writes a label map of one id, or of the ids of an array, below tmp_path."""

    def write(name: str, ids: object = 0, size: tuple[int, int] = (12, 16)) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        array = ids if isinstance(ids, np.ndarray) else np.full(size, ids, np.uint8)
        Image.fromarray(array).save(path)
        return path

    return write
