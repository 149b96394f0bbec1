"""What spreading items over actors of Ray adds to an item, and auto-labels on Ray against here.

    python -m benchmarks.ray_overhead [--items 10000 100000] [--actors 2] [--images 400]
        [--size 64x128] [--weights streets-lite0] [--threads 2] [--address auto]

Items that take no time show what is sent and noted for each: a million of them take ten times what
100,000 do, if the seconds and the memory of 100,000 are in line with those of 10,000. Auto-labels
are counted from one quarter of the images on, so that neither side's start counts. The process here
runs the network on ``--threads``, each actor on those that Ray gives it. On a machine with other
work several threads wait for one another, and the ratio then says little: give one.
"""

from __future__ import annotations

import argparse
import functools
import resource
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from benchmarks._ending import run_main
from benchmarks.folder import write_frames
from hierseg import Predictor, load_model
from hierseg.autolabel import autolabel
from hierseg.data import open_dataset
from hierseg.jobs import Elsewhere, RayWorkers
from hierseg.jobs.spreading import Spreading
from hierseg.jobs.worker import Hands, Report
from hierseg.size import Size


def read_peak() -> float:
    """MB (10^6 bytes) that this process has ever had resident."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


class Nothing(Hands[Path]):
    """Does an item in no time, and reports the peak of its process."""

    def run(self, items: Iterable[Path], report: Callable[[Report], None]) -> None:
        """See ``Hands``."""
        for item in items:
            report(Report(item.name, read_peak()))


def spread(workers: RayWorkers, count: int) -> None:
    """Spread so many items, and print what it has taken."""
    here, used = read_peak(), time.process_time()
    told, there, began = 0, 0.0, 0.0

    def take(report: Report) -> None:
        nonlocal told, there, began
        began = began or time.perf_counter()
        told += 1
        there = max(there, float(str(report.content)))

    with workers.hire(Nothing) as crew:
        items = ([Path(f"/images/train/frame{number:07d}.png")] for number in range(count))
        Spreading(crew, lambda item: item.name, take).run(items)
    seconds, used = time.perf_counter() - began, time.process_time() - used
    assert told == count
    print(
        f"{count} items by {workers.division.workers} actors: {seconds:.2f} s from the first on, "
        f"{1e6 * seconds / count:.0f} us an item, {1e6 * used / count:.0f} of this process; its "
        f"peak {read_peak():.0f} MB ({here:.0f} before), an actor's {there:.0f} MB",
        flush=True,
    )


def open_here(weights: str) -> Predictor:
    """The predictor, here or in an actor."""
    return Predictor(load_model(weights))


def label(
    predictor: Predictor, root: Path, out: Path, workers: RayWorkers | None, weights: str
) -> float:
    """Images a second, without the first quarter."""
    space = predictor.label_space
    dataset = open_dataset("folder", root, "train", label_space=space, keep_unpaired=True)
    dataset.label_space = space
    load = functools.partial(open_here, weights)
    sent = None if workers is None else Elsewhere(workers, load)
    found = autolabel(predictor, dataset, out, workers=sent)
    assert found.images == len(dataset)
    made = sorted(path.stat().st_mtime for path in (out / "train").rglob("*_prob.png"))
    first = len(made) // 4
    return (len(made) - first) / (made[-1] - made[first - 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--actors", type=int, default=2)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--size", default="64x128")
    parser.add_argument("--weights", default="streets-lite0")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--address")
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with (
        RayWorkers(options.address, options.actors, use_gpus=False) as workers,
        tempfile.TemporaryDirectory() as temporary,
    ):
        for count in options.items:
            spread(workers, count)
        if not options.images:
            return
        root = Path(temporary)
        (root / "images").mkdir()
        write_frames(root / "images" / "train", options.images, Size.parse(options.size))
        predictor = open_here(options.weights)
        for turn in range(options.repeats):
            here = label(predictor, root, root / f"here{turn}", None, options.weights)
            there = label(predictor, root, root / f"there{turn}", workers, options.weights)
            print(
                f"{options.images} auto-labels of {options.size}: {here:.1f} images/s here by "
                f"{options.threads} threads, {there:.1f} on Ray, ratio {there / here:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    run_main(main)
