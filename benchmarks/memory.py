"""Peak resident memory of segmenting one image, with and without keeping each scale.

    python -m benchmarks.memory [--model hrnet48-ocr-hier] [--size 1024x2048] [--scales 0.5 1 2]

Each run is a fresh process, and the number is its VmHWM as Linux reports it: everything that was
ever resident, interpreter and libraries included. Weights are random, which changes no size.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path


def peak_gigabytes() -> float:
    """VmHWM of this process in GB (10^9 bytes)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e9
    raise RuntimeError("this system does not report VmHWM; the benchmark needs Linux")


def segment_once(model: str, size: str, scales: list[float], keep_scales: bool) -> None:
    """Segment one random image in this process, and print the peak."""
    import torch

    from hierseg.models.registry import create_model
    from hierseg.size import Size

    network = create_model(model).eval()
    built = peak_gigabytes()
    image = torch.randint(0, 256, (1, 3, *Size.parse(size)), dtype=torch.uint8)
    start = time.perf_counter()
    with torch.inference_mode():
        network(image, scales, keep_scales=keep_scales)
    seconds = time.perf_counter() - start
    kept = "keep_scales" if keep_scales else "fused alone"
    print(
        f"{model} {size} at {' '.join(f'{scale:g}' for scale in scales)}, {kept}: "
        f"VmHWM {peak_gigabytes():.2f} GB ({built:.2f} GB before the image), {seconds:.0f} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="hrnet48-ocr-hier")
    parser.add_argument("--size", default="1024x2048")
    parser.add_argument("--scales", nargs="+", type=float, default=[0.5, 1.0, 2.0])
    parser.add_argument("--child", choices=["fused", "kept"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        segment_once(options.model, options.size, options.scales, options.child == "kept")
        return
    for child in ("fused", "kept"):
        command = [sys.executable, "-m", "benchmarks.memory", *sys.argv[1:], "--child", child]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
