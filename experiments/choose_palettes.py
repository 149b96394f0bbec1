"""Chooses the colours of `hierseg.media.palettes`: of each number of classes those whose least
distance is the largest, for normal vision and for any.

    python experiments/choose_palettes.py

A farthest-point start, then each colour in turn is replaced by the candidate that is farthest from
the others, until none moves; the best of several starts is printed with its least distance.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from color_vision import VISIONS, Array, to_lab
from ending import run_main

COUNTS = (4, 8, 12, 20, 34, 66)
STARTS = 8
STEP = 15
LIGHTNESS = 28, 94
"""Of the candidates: black is void, and a name is written upon the colour in black or white."""
CHROMA = 85
"""At most: beyond are the screen's primaries, which glare beside a photograph."""
PALETTES = {"distinct": ("normal",), "colorblind": tuple(VISIONS)}


def list_candidates() -> npt.NDArray[np.int64]:
    """(M, 3) sRGB colours to choose from."""
    values = range(0, 256, STEP)
    grid = np.array([(r, g, b) for r in values for g in values for b in values])
    lab = to_lab(grid)
    fits = (lab[:, 0] >= LIGHTNESS[0]) & (lab[:, 0] <= LIGHTNESS[1])
    return grid[fits & (np.linalg.norm(lab[:, 1:], axis=1) <= CHROMA)]


def choose(seen: Array, count: int, start: int) -> tuple[list[int], float]:
    """Places of the colours among the candidates, and their least distance.

    Args:
        seen: (V, M, 3) candidates in CIELAB by each vision.
        count: How many.
        start: The first of the farthest-point start.
    """

    def away(place: int) -> Array:
        return np.asarray(np.linalg.norm(seen - seen[:, place : place + 1], axis=2).min(axis=0))

    chosen = [start]
    nearest = away(start)
    while len(chosen) < count:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, away(chosen[-1]))
    distances = np.stack([away(place) for place in chosen])
    for _ in range(40):
        moved = False
        for index in range(count):
            others = np.delete(distances, index, axis=0).min(axis=0)
            best = int(others.argmax())
            if others[best] > others[chosen[index]] + 1e-6:
                chosen[index], distances[index], moved = best, away(best), True
        if not moved:
            break
    between = distances[:, chosen] + 1e9 * np.eye(count)
    return chosen, float(between.min())


def main() -> None:
    """Print the tables."""
    candidates = list_candidates()
    generator = np.random.default_rng(0)
    for name, visions in PALETTES.items():
        seen = np.stack([to_lab(candidates, vision) for vision in visions])
        for count in COUNTS:
            starts = generator.integers(0, len(candidates), STARTS)
            chosen, least = max(
                (choose(seen, count, int(start)) for start in starts), key=lambda one: one[1]
            )
            colors = sorted(tuple(map(int, candidates[place])) for place in chosen)
            print(f"{name} {count}: least distance {least:.1f}")
            print("   ", " ".join("{:02x}{:02x}{:02x}".format(*color) for color in colors))


if __name__ == "__main__":
    run_main(main)
