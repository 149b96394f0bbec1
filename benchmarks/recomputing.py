"""Peak resident memory and time of a training step, with and without gradient checkpointing.

    python -m benchmarks.recomputing [--model hrnet48-ocr-hier] [--crop 128x256] [--steps 2]

Each run is a fresh process with random weights and cross-entropy; its peak is VmHWM as Linux has
it, over what was resident before the first step.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from benchmarks._ending import run_main
from benchmarks.memory import peak_gigabytes


def step(model: str, crop: str, steps: int, recompute: bool) -> None:
    """Make steps in this process and print the peak over what was there before, and the time."""
    import torch

    from hierseg.engines import keep_freed_memory
    from hierseg.losses import CombinedLoss, CrossEntropy
    from hierseg.models import create_model
    from hierseg.size import Size
    from hierseg.training import recompute_trunk

    keep_freed_memory()
    torch.manual_seed(0)
    network = create_model(model).train()
    if recompute:
        recompute_trunk(network.trunk)
    criterion = CombinedLoss(CrossEntropy())
    size = Size.parse(crop)
    image = torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8)
    labels = torch.randint(0, network.num_classes, (1, *size))
    before = peak_gigabytes()
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        criterion(network(image), labels)["loss"].backward()
        network.zero_grad(set_to_none=True)
        seconds.append(time.perf_counter() - start)
    print(
        f"{model} {crop}, {'recomputed' if recompute else 'kept'}: "
        f"{peak_gigabytes() - before:.2f} GB over {before:.2f} GB, {min(seconds):.1f} s a step",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="hrnet48-ocr-hier")
    parser.add_argument("--crop", default="128x256")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--child", choices=["kept", "recomputed"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        step(options.model, options.crop, options.steps, options.child == "recomputed")
        return
    for child in ("kept", "recomputed"):
        command = [sys.executable, "-m", "benchmarks.recomputing", *sys.argv[1:], "--child", child]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    run_main(main)
