from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hierseg.data.sampling.tiles import find_centroids

IGNORE = 255


def by_masks(labels: npt.NDArray[np.uint8], tile: int) -> list[list[int]]:
    """METHOD section 6, class by class."""
    height, width = labels.shape
    sides = (tile, tile) if height >= tile and width >= tile else (height, width)
    found = []
    for top in range(0, height - sides[0] + 1, sides[0]):
        for left in range(0, width - sides[1] + 1, sides[1]):
            part = labels[top : top + sides[0], left : left + sides[1]]
            for label in np.unique(part):
                if label != IGNORE:
                    rows, columns = np.nonzero(part == label)
                    found.append([label, top + int(rows.mean()), left + int(columns.mean())])
    return found


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20), st.integers(0, 2**31))
def test_centroids_are_means_over_masks(height: int, width: int, tile: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    coarse = random.choice([0, 1, 5, 18, 254, IGNORE], (height // 5 + 1, width // 3 + 1))
    labels = np.kron(coarse, np.ones((5, 3))).astype(np.uint8)[:height, :width]
    found = find_centroids(labels, tile, IGNORE)
    assert found.dtype == np.int32
    assert found.tolist() == by_masks(labels, tile)


def test_what_is_left_over_at_the_edges_is_dropped() -> None:
    labels = np.zeros((25, 37), np.uint8)
    labels[20:] = 1
    labels[:, 30:] = 2
    found = find_centroids(labels, 10, IGNORE)
    assert found[:, 0].tolist() == [0] * 6
    assert found[:, 1:].tolist() == [[r, c] for r in (4, 14) for c in (4, 14, 24)]


@pytest.mark.parametrize("size", [(6, 30), (30, 6), (6, 9)])
def test_a_map_without_room_for_a_tile_is_one_tile(size: tuple[int, int]) -> None:
    found = find_centroids(np.zeros(size, np.uint8), 10, IGNORE)
    assert found.tolist() == [[0, (size[0] - 1) // 2, (size[1] - 1) // 2]]


def test_ignore_has_no_centroid_and_is_what_is_said() -> None:
    labels = np.full((8, 8), 11, np.uint8)
    assert find_centroids(labels, 8, ignore=11).shape == (0, 3)
    assert find_centroids(labels, 8, ignore=255).tolist() == [[11, 3, 3]]


def test_sums_do_not_overflow() -> None:
    found = find_centroids(np.zeros((3000, 5000), np.uint8), 2500, IGNORE)
    assert found.tolist() == [[0, 1249, 1249], [0, 1249, 3749]]
