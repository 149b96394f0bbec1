"""Time of a training step: two scales against one, and bf16 with channels last against float32.

    python -m benchmarks.step [--threads N] [--rounds N] [--only NAME] [--crop 256x512]

The same network, crop and batch on both sides, forward, losses (RMI, and the BCE of each scale),
backward and update on random pixels; the sides take turns and the best of the rounds counts. With
one thread, the default, it is processor time, which other processes on the machine change little.
By its operations training on scales 0.5 and 1 costs 1.25 times what scale 1 costs (HMSA, section
3.1). What a pass costs whatever its size, and fusion, come on top: the crop of half the sides is
timed by itself, so that it shows how much each is.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from benchmarks._ending import run_main
from hierseg.engines import keep_freed_memory
from hierseg.losses import CombinedLoss, RegionMutualInformation
from hierseg.models import SegmentationNetwork, create_model
from hierseg.size import Size
from hierseg.training import run_depthwise_in_float

CASES = {"lite0-ocr-hier": (Size(256, 512), 1), "hrnet18s-ocr-hier": (Size(256, 512), 1)}
Step = Callable[[], float]


def build(name: str, *, bf16: bool, channels_last: bool) -> SegmentationNetwork:
    torch.manual_seed(0)
    network = create_model(name).train()
    if not channels_last:
        network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    if bf16:
        run_depthwise_in_float(network)
    return network


def make_step(
    network: SegmentationNetwork,
    image: torch.Tensor,
    labels: torch.Tensor,
    scales: tuple[float, ...],
    bf16: bool = False,
) -> Step:
    """A function that makes a step and returns its seconds."""
    criterion = CombinedLoss(RegionMutualInformation(), per_scale_weight=0.05)
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-4)

    def step() -> float:
        clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
        start = clock()
        cast: Any = torch.autocast("cpu", torch.bfloat16) if bf16 else contextlib.nullcontext()
        with cast:
            output = network(image, scales)
        criterion(output, labels)["loss"].backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return clock() - start

    return step


def compare(steps: Sequence[Step], rounds: int) -> list[float]:
    """Best seconds of each, in turns, after one of each that does not count."""
    for step in steps:
        step()
    taken = [[step() for step in steps] for _ in range(rounds)]
    return [min(seconds) for seconds in zip(*taken, strict=True)]


def measure(name: str, crop: Size, batch: int, rounds: int) -> None:
    """Print both comparisons of a network."""
    image = torch.randint(0, 256, (batch, 3, *crop), dtype=torch.uint8)
    labels = torch.randint(0, 19, (batch, *(side // 16 for side in crop)))
    labels = labels.repeat_interleave(16, 1).repeat_interleave(16, 2)
    half = [x[..., : crop.height // 2, : crop.width // 2].contiguous() for x in (image, labels)]
    fast = build(name, bf16=True, channels_last=True)
    exact = build(name, bf16=False, channels_last=True)
    for words, network, bf16 in (("bf16", fast, True), ("float32", exact, False)):
        two, one, small = compare(
            [
                make_step(network, image, labels, (0.5, 1.0), bf16),
                make_step(network, image, labels, (1.0,), bf16),
                make_step(network, half[0], half[1], (1.0,), bf16),
            ],
            rounds,
        )
        print(
            f"{name} {batch} x {crop} {words}: scales 0.5 and 1 {two:.2f} s against scale 1 "
            f"{one:.2f} s, {two / one:.2f} times as long, of which {small / one:.2f} are a step on "
            f"half the sides and {(two - one - small) / one:.2f} the fusion of both",
            flush=True,
        )
    slow = build(name, bf16=False, channels_last=False)
    fast_seconds, slow_seconds = compare(
        [
            make_step(fast, image, labels, (0.5, 1.0), bf16=True),
            make_step(slow, image, labels, (0.5, 1.0)),
        ],
        rounds,
    )
    print(
        f"{name} {batch} x {crop}: bf16 with channels last {fast_seconds:.2f} s against "
        f"float32 {slow_seconds:.2f} s, {slow_seconds / fast_seconds:.2f} times as fast",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=list(CASES))
    parser.add_argument("--crop")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()  # as in training
    for name, (crop, batch) in CASES.items():
        if options.only in (None, name):
            chosen = crop if options.crop is None else Size.parse(options.crop)
            measure(name, chosen, batch, options.rounds)


if __name__ == "__main__":
    run_main(main)
