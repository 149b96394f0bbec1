"""What a run is estimated to take of memory, against its peak, and that of another checkout.

    python -m benchmarks.footprint [--models hrnet48-ocr-hier] [--sizes 1024x2048]
        [--scales 0.5 1 2] [--precisions float32 bf16] [--before CHECKOUT]

Each run is a fresh process, and the number is its VmHWM as Linux reports it: everything that was
ever resident, interpreter and libraries included. Weights are random, which changes no size, but
for streetlite's. ``--before`` runs another checkout as well: both sides in turns.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks._ending import run_main

HERE = Path(__file__).resolve().parents[1]


def read_gigabytes(key: str) -> float:
    """VmHWM, VmRSS of this process in GB (10^9 bytes)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024 / 1e9
    raise RuntimeError(f"this system does not report {key}; the benchmark needs Linux")


def segment_once(model: str, size: str, scales: list[float], precision: str, kept: bool) -> None:
    """Segment one random image in this process, and print the peak."""
    import numpy as np
    import torch

    from hierseg import load_model
    from hierseg.engines import TorchEngine
    from hierseg.inference import Segmenter
    from hierseg.models import create_model
    from hierseg.options import RunOptions
    from hierseg.size import Size

    network = load_model() if model == "streetlite" else create_model(model).eval()
    segmenter = Segmenter(TorchEngine(network), RunOptions(scales=tuple(scales)), None, kept)
    shape = Size.parse(size)
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    before, start = read_gigabytes("VmRSS"), time.perf_counter()
    cast = torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else None
    with contextlib.nullcontext() if cast is None else cast:
        segmenter.segment([image])
    seconds, peak = time.perf_counter() - start, read_gigabytes("VmHWM")
    print(f"{before:.2f} {peak:.2f} {seconds:.0f}", flush=True)


def estimate_once(model: str, size: str, scales: list[float]) -> None:
    """Print what is said that the same would need beside the program."""
    from hierseg import load_model
    from hierseg.engines import TorchEngine
    from hierseg.inference import Footprint, Segmenter
    from hierseg.models import create_model
    from hierseg.options import RunOptions
    from hierseg.size import Size

    network = load_model() if model == "streetlite" else create_model(model).eval()
    segmenter = Segmenter(TorchEngine(network), RunOptions(scales=tuple(scales)))
    print(f"{Footprint(segmenter).estimate(Size.parse(size)) / 1e9:.2f}")


def call(checkout: Path, arguments: list[str]) -> list[float]:
    """What a process of its own prints, with the package of a checkout."""
    paths = os.pathsep.join(map(str, (checkout / "src", HERE)))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.footprint", *arguments],
        env=os.environ | {"PYTHONPATH": paths},
        cwd=HERE,
        check=True,
        capture_output=True,
        text=True,
    )
    return [float(word) for word in done.stdout.split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["hrnet48-ocr-hier"])
    parser.add_argument("--sizes", nargs="+", default=["1024x2048"])
    parser.add_argument("--scales", nargs="+", type=float, default=[0.5, 1.0, 2.0])
    parser.add_argument("--precisions", nargs="+", default=["float32"])
    parser.add_argument("--keep-scales", action="store_true", help="keep each scale's maps too")
    parser.add_argument("--before", type=Path, help="another checkout, to run as well")
    parser.add_argument("--child", choices=["segment", "estimate"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child == "segment":
        what = (options.scales, options.precisions[0], options.keep_scales)
        segment_once(options.models[0], options.sizes[0], *what)
        return
    if options.child == "estimate":
        estimate_once(options.models[0], options.sizes[0], options.scales)
        return
    sides = [HERE] if options.before is None else [options.before.resolve(), HERE]
    shown = " ".join(f"{scale:g}" for scale in options.scales)
    for model in options.models:
        for size in options.sizes:
            given = ["--models", model, "--sizes", size, "--scales", *map(str, options.scales)]
            estimated = call(HERE, [*given, "--child", "estimate"])[0]
            for precision in options.precisions:
                for side in sides:
                    more = ["--precisions", precision, "--child", "segment"]
                    kept = ["--keep-scales"] if options.keep_scales else []
                    before, peak, seconds = call(side, [*given, *more, *kept])
                    print(
                        f"{model} {size} at {shown}, {precision}, "
                        f"{'now' if side == HERE else 'before'}: peak {peak:.2f} GB "
                        f"({before:.2f} before the image, {peak - before:.2f} for it; float32 was "
                        f"estimated at {estimated:.2f}), {seconds:.0f} s",
                        flush=True,
                    )


if __name__ == "__main__":
    run_main(main)
