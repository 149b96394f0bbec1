from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hierseg.errors import UsageError
from hierseg.inference.tiling import Tile, Windows, blend
from hierseg.size import Size


@given(
    st.integers(1, 90), st.integers(1, 90), st.integers(1, 60), st.integers(1, 60),
    st.sampled_from([0.0, 0.25, 0.5, 0.9]),
)  # fmt: skip
def test_tiles_cover_the_image_and_overlap_as_asked(
    height: int, width: int, window_height: int, window_width: int, overlap: float
) -> None:
    tiles = Windows(Size(window_height, window_width), overlap).tiles(Size(height, width))
    seen = np.zeros((height, width), int)
    for tile in tiles:
        assert tile.top >= 0
        assert tile.left >= 0
        assert tile.height == min(window_height, height)
        assert tile.width == min(window_width, width)
        part = seen[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]
        assert part.shape == (tile.height, tile.width)
        part += 1
    assert seen.min() >= 1
    tops = sorted({tile.top for tile in tiles})
    for above, below in pairwise(tops):
        assert above + tiles[0].height - below >= int(overlap * tiles[0].height) - 1


def test_as_few_tiles_as_the_overlap_allows() -> None:
    tiles = Windows(Size(100, 100), 0.25).tiles(Size(100, 250))
    assert tiles == [Tile(0, 0, 100, 100), Tile(0, 75, 100, 100), Tile(0, 150, 100, 100)]
    assert Windows().tiles(Size(64, 128)) == [Tile(0, left, 64, 64) for left in (0, 32, 64)]
    assert Windows(Size(200, 200)).tiles(Size(64, 128)) == [Tile(0, 0, 64, 128)]


def test_what_agrees_is_blended_into_itself() -> None:
    size = Size(50, 70)
    whole = torch.randn(1, 3, *size, dtype=torch.float64)
    tiles = Windows(Size(24, 30), 0.3).tiles(size)
    assert len(tiles) > 6
    blended = blend(size, tiles, lambda tile: tile.cut(whole))
    assert torch.allclose(blended, whole, atol=1e-12)


def test_between_two_tiles_the_weights_fall_evenly() -> None:
    tiles = [Tile(0, 0, 1, 20), Tile(0, 10, 1, 20)]
    blended = blend(Size(1, 30), tiles, lambda tile: torch.full((1, 20), float(tile.left > 0)))
    assert blended[0, :10].eq(0).all()
    assert blended[0, 20:].eq(1).all()
    middle = blended[0, 10:20]
    assert (middle.diff() > 0).all()
    assert middle[0] < 0.15
    assert middle[-1] > 0.85
    assert torch.allclose(middle + middle.flip(0), torch.ones(10))


def test_windows_that_cannot_be_are_refused() -> None:
    for overlap in (-0.1, 1.0):
        with pytest.raises(UsageError, match="--overlap"):
            Windows(overlap=overlap)
    with pytest.raises(UsageError, match="--window"):
        Windows(Size(0, 5))
