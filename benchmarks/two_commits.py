"""Two commits against each other: start-up, a folder of frames, training steps.

    git worktree add --detach ../before COMMIT
    python -m benchmarks.two_commits ../before [--turns 9] [--only startup predict train step]

Whole processes, the two sides in turns, the medians of nine; by the clock, and by the processor
seconds of all threads, which other work on the machine changes less. Of a training run the step is
taken by itself too, from its journal: validation is left out. Not run with the others, as it needs
a second checkout.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.folder import write_frames
from hierseg.size import Size
from hierseg.streets import write_streets

HERE = Path(__file__).parents[1]
Measured = tuple[float, float]


def measure(checkout: Path, arguments: list[str]) -> Measured:
    """Clock and processor seconds of ``python -m hierseg`` of a checkout."""
    environment = os.environ | {"PYTHONPATH": str(checkout / "src")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-m", "hierseg", *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if run.returncode:
        raise SystemExit(f"{checkout}: {run.stderr[-800:]}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(name: str, before: Path, turns: int, arguments: Callable[[Path], list[str]]) -> None:
    """Print the medians of both sides, in turns, after one of each that does not count."""
    sides = {"before": before, "now": HERE}
    taken: dict[str, list[Measured]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(turns + 1):
            for side, checkout in sides.items():
                seconds = measure(checkout, arguments(Path(folder) / f"{side}{turn}"))
                if turn:
                    taken[side].append(seconds)
    for index, clock in enumerate(("clock", "processor")):
        old, new = (statistics.median(one[index] for one in taken[side]) for side in sides)
        print(f"{name:12s} {clock:10s} {old:7.3f} s, now {new:7.3f} s: {new / old:.3f}", flush=True)


def compare_steps(before: Path, turns: int, arguments: Callable[[Path], list[str]]) -> None:
    """Print the medians of a step of training, the first few steps of a run left out."""
    taken: dict[Path, list[float]] = {before: [], HERE: []}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(turns + 1):
            for side, checkout in enumerate(taken):
                out = Path(folder) / f"{side}-{turn}"
                measure(checkout, arguments(out))
                with (out / "steps.csv").open(encoding="utf-8") as file:
                    rates = [float(row["images_per_second"]) for row in csv.DictReader(file)]
                # The rates are of all steps so far.
                ends = [step / rate for step, rate in enumerate(rates, start=1)]
                if turn:
                    seconds = (ends[-1] - ends[SETTLING]) / (len(ends) - 1 - SETTLING)
                    taken[checkout].append(seconds)
    old, new = map(statistics.median, taken.values())
    print(f"step, an image clock {old:7.4f} s, now {new:7.4f} s: {new / old:.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--only", nargs="*", default=[*CASES, "step"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_frames(folder / "in", 200, Size(96, 128))
        write_streets(folder / "streets", count=96, size=Size(128, 256), seed=0)
        predict = ["predict", str(folder / "in"), "--weights", "streets-lite0", "--scales", "1"]
        train = ["train", "streets-lite0", "--data.root", str(folder / "streets"), *TRAINING]
        cases: dict[str, Callable[[Path], list[str]]] = {
            "startup": lambda _: ["predict", "--help"],
            "predict": lambda out: [*predict, "--out", str(out)],
            "train": lambda out: [*train, "--runtime.out", str(out)],
        }
        for name in options.only:
            if name == "step":
                compare_steps(options.before.resolve(), options.turns, cases["train"])
                continue
            compare(name, options.before.resolve(), options.turns, cases[name])


TRAINING = ["--runtime.limit-batches", "20", "--optim.epochs", "1", "--data.workers", "0"]
TRAINING += ["--runtime.log-every", "1"]
SETTLING = 5
CASES = ("startup", "predict", "train")

if __name__ == "__main__":
    main()
