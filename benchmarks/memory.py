"""Peak resident memory of segmenting one image, by precision; and with each scale kept.

    python -m benchmarks.memory [--model hrnet48-ocr-hier] [--size 1024x2048] [--scales 0.5 1 2]
        [--runs bf16 float32 kept]

From pixels to labels, as ``hierseg predict`` runs it by torch. Each run is a fresh process, and the
number is its VmHWM as Linux reports it: everything that was ever resident, interpreter and
libraries included. Weights are random, which changes no size.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from benchmarks._ending import run_main

RUNS = ("bf16", "float32", "kept")


def peak_gigabytes() -> float:
    """VmHWM of this process in GB (10^9 bytes)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e9
    raise RuntimeError("this system does not report VmHWM; the benchmark needs Linux")


def segment_once(model: str, size: str, scales: list[float], run: str) -> None:
    """Segment one random image in this process, and print the peak."""
    import numpy as np

    from benchmarks._predictors import open_predictor
    from hierseg import Predictor, create_model
    from hierseg.labels import CITYSCAPES
    from hierseg.size import Size

    network = create_model(model, CITYSCAPES.num_classes).eval()
    if run == "kept":
        predictor = Predictor(network, scales, label_space=CITYSCAPES, keep_scales=True)
    else:
        torch_in = ("torch", run) if run != "float32" else (None, None)
        predictor = open_predictor(network, *torch_in, scales, CITYSCAPES)
    built = peak_gigabytes()
    image = np.random.default_rng(0).integers(0, 256, (*Size.parse(size), 3), np.uint8)
    start = time.perf_counter()
    predictor(image)
    seconds = time.perf_counter() - start
    print(
        f"{model} {size} at {' '.join(f'{scale:g}' for scale in scales)}, {run}: "
        f"VmHWM {peak_gigabytes():.2f} GB ({built:.2f} GB before the image), {seconds:.0f} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="hrnet48-ocr-hier")
    parser.add_argument("--size", default="1024x2048")
    parser.add_argument("--scales", nargs="+", type=float, default=[0.5, 1.0, 2.0])
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=["bf16", "float32"])
    parser.add_argument("--child", choices=RUNS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        segment_once(options.model, options.size, options.scales, options.child)
        return
    for child in options.runs:
        command = [sys.executable, "-m", "benchmarks.memory", *sys.argv[1:], "--child", child]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    run_main(main)
