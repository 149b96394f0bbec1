"""The centroid index of a decoded label map, against a mask for every class in every tile.

1024x2048, tiles of 1024, 19 classes; seconds of one core. Both sides must find the same centroids.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.ndimage import center_of_mass

from hierseg.data.sampling.tiles import find_centroids
from hierseg.labels import CITYSCAPES, IGNORE
from hierseg.size import Size
from hierseg.streets import draw_street

TILE = 1024
TARGET = 10.0

Labels = npt.NDArray[np.uint8]


def find_by_masks(labels: Labels, tile: int) -> npt.NDArray[np.int32]:
    """Each class in each tile: a mask, and its centre of mass."""
    found = []
    for top in range(0, labels.shape[0] - tile + 1, tile):
        for left in range(0, labels.shape[1] - tile + 1, tile):
            part = labels[top : top + tile, left : left + tile]
            for label in range(CITYSCAPES.num_classes):
                mask = part == label
                if mask.any():
                    row, column = center_of_mass(mask)
                    found.append((label, top + int(row), left + int(column)))
    return np.array(found, np.int32)


def draw_labels(seed: int) -> Labels:
    """A street, in which the classes that it lacks stand as small blocks."""
    _, raw = draw_street(seed, Size(1024, 2048))
    labels = CITYSCAPES.encode(raw)
    for label in range(CITYSCAPES.num_classes):
        labels[900:924, 100 * label + 20 : 100 * label + 60] = label
    return labels


def measure(function: Callable[[Labels, int], object], labels: Labels, repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        function(labels, TILE)
        seconds.append(time.process_time() - start)
    return min(seconds)


def main() -> None:
    ratios = []
    for seed in (3, 4):
        labels = draw_labels(seed)
        ours = find_centroids(labels, TILE, IGNORE)
        same = np.array_equal(ours, find_by_masks(labels, TILE))
        masks = measure(find_by_masks, labels, 3)
        runs = measure(lambda part, tile: find_centroids(part, tile, IGNORE), labels, 10)
        ratios.append(masks / runs)
        print(
            f"street {seed}: {1e3 * masks:.0f} ms by masks, {1e3 * runs:.2f} ms by runs: "
            f"{masks / runs:.0f} times; {len(ours)} centroids, {'equal' if same else 'DIFFERENT'}"
        )
    print(f"worst {min(ratios):.0f} times (asked for: {TARGET:.0f})")


if __name__ == "__main__":
    main()
