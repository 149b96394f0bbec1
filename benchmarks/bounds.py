"""Whether the model in the box keeps to its bounds: parameters, size of the file, time an image.

    python -m benchmarks.bounds [--weights streetlite] [--size 360x480] [--images 25]

A newcomer installs it with the package and runs it on a laptop: at most 6 million parameters and 14
MB, and half a second from an image file to a label file at 360x480, by the engine that `auto`
chooses, on two threads. Beside it stands the same by the network's modules in float32, in turns:
seconds depend on the machine, their ratio hardly does. Exit status 1 where a bound is exceeded.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from benchmarks._ending import run_main
from benchmarks._predictors import load_plain, name_engine, open_predictor
from benchmarks.folder import write_frames
from benchmarks.latency import time_file
from hierseg.checkpoint import find_weights
from hierseg.engines import keep_freed_memory
from hierseg.size import Size

WARM = 3  # images before the clock starts: `auto` makes its choice with the second


class Bound(NamedTuple):
    """A figure, and the most that it may be."""

    what: str
    found: float
    most: float
    unit: str


def list_bounds(parameters: int, size: int, seconds: float) -> list[Bound]:
    """The bounds of the model in the box, with what was found."""
    return [
        Bound("parameters", parameters / 1e6, 6, "million"),
        Bound("file", size / 1e6, 14, "MB"),
        Bound("an image, from file to file", seconds, 0.5, "s"),
    ]


def report(bounds: Sequence[Bound]) -> int:
    """Print a line a bound; 1 if one of them is exceeded."""
    for bound in bounds:
        kept = "kept" if bound.found <= bound.most else "EXCEEDED"
        print(f"{bound.what}: {bound.found:.3g} of {bound.most:g} {bound.unit}, {kept}")
    return int(any(bound.found > bound.most for bound in bounds))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="streetlite")
    parser.add_argument("--size", default="360x480")
    parser.add_argument("--images", type=int, default=25)
    parser.add_argument("--engine", default="auto")
    options = parser.parse_args()
    size = Size.parse(options.size)
    torch.set_num_threads(2)
    keep_freed_memory()
    path = find_weights(options.weights)
    network = load_plain(path)
    plain, chosen = open_predictor(network), open_predictor(network, options.engine)
    taken = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for frame in write_frames(folder / "frames", WARM + options.images, size):
            taken.append([time_file(one, frame, folder).clock for one in (plain, chosen)])
    slow, fast = (statistics.median(side[WARM:]) for side in zip(*taken, strict=True))
    print(
        f"{options.weights} at {options.size}, median of {options.images} images on two threads: "
        f"{name_engine(chosen)} {fast:.3f} s, modules in float32 {slow:.3f} s, "
        f"{slow / fast:.2f} times as fast"
    )
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return report(list_bounds(parameters, path.stat().st_size, fast))


if __name__ == "__main__":
    run_main(main)
