"""What waiting threads cost, alone and beside another program: torch's default and hierseg's.

    python -m benchmarks.busy [--size 180x240] [--images 8] [--rounds 3] [--others 1]

The packaged model is run by torch on two threads, in a process of its own for each line: as torch
has it, where a thread that waits counts long before it sleeps, and as the command line of hierseg
has it (`hierseg.processes.share_processors`). Both take turns, first alone, then beside processes
that count without end. Medians, and their ratio.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks._ending import run_main
from hierseg.size import Size

CHILD = """
import statistics, sys, time
if sys.argv[4] == "hierseg":
    from hierseg.processes import share_processors
    share_processors()
import torch
from hierseg import Predictor
height, width, images = map(int, sys.argv[1:4])
torch.set_num_threads(2)
predictor = Predictor("streetlite", engine="torch")
pixels = torch.randint(0, 256, (height, width, 3), dtype=torch.uint8).numpy()
predictor(pixels)
seconds = []
for _ in range(images):
    start = time.perf_counter()
    predictor(pixels)
    seconds.append(time.perf_counter() - start)
print(statistics.median(seconds))
"""
VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")


def time_run(words: list[str], waiting: str) -> float:
    """Median seconds of an image, in a process of its own."""
    plain = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    command = [sys.executable, "-c", CHILD, *words, waiting]
    return float(subprocess.run(command, env=plain, check=True, stdout=subprocess.PIPE).stdout)


@contextmanager
def beside(count: int) -> Iterator[None]:
    """So many processes that count without end."""
    endless = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(endless) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="180x240")
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--others", type=int, default=1)
    options = parser.parse_args()
    words = [*map(str, Size.parse(options.size)), str(options.images)]
    for count in (0, options.others):
        with beside(count):
            taken = [
                [time_run(words, waiting) for waiting in ("torch", "hierseg")]
                for _ in range(options.rounds)
            ]
        default, ours = (statistics.median(side) for side in zip(*taken, strict=True))
        where = f"beside {count} that count" if count else "alone"
        print(
            f"{where}: torch's default {default:.3f} s an image, "
            f"hierseg's {ours:.3f} s, {default / ours:.2f} times as fast",
            flush=True,
        )


if __name__ == "__main__":
    run_main(main)
