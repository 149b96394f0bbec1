"""Time of a training step: two scales against one, and bf16 with channels last against float32.

    python -m benchmarks.step [--threads N] [--rounds N]

The same network, crop and batch on both sides, forward, losses, backward and update on random
pixels; the sides take turns and the best of the rounds counts. With one thread, the default, it is
processor time, which other processes on the machine change little. By its operations training on
scales 0.5 and 1 costs 1.25 times what scale 1 costs (HMSA, section 3.1).
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable
from typing import Any

import torch

from hierseg.engines.memory import keep_freed_memory
from hierseg.losses.combined import CombinedLoss
from hierseg.losses.cross_entropy import CrossEntropy
from hierseg.models.network import SegmentationNetwork
from hierseg.models.registry import create_model
from hierseg.size import Size
from hierseg.training.depthwise import run_depthwise_in_float

CASES = {"lite0-ocr-hier": (Size(256, 512), 1), "hrnet18s-ocr-hier": (Size(256, 256), 1)}
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
    criterion = CombinedLoss(CrossEntropy())
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


def compare(first: Step, second: Step, rounds: int) -> tuple[float, float]:
    """Best seconds of each, in turns, after one of each that does not count."""
    first(), second()
    taken = [(first(), second()) for _ in range(rounds)]
    return min(pair[0] for pair in taken), min(pair[1] for pair in taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()  # as in training
    for name, (crop, batch) in CASES.items():
        image = torch.randint(0, 256, (batch, 3, *crop), dtype=torch.uint8)
        labels = torch.randint(0, 19, (batch, *crop))
        plain = build(name, bf16=False, channels_last=True)
        two, one = compare(
            make_step(plain, image, labels, (0.5, 1.0)),
            make_step(plain, image, labels, (1.0,)),
            options.rounds,
        )
        print(
            f"{name} {batch} x {crop}: scales 0.5 and 1 {two:.2f} s against scale 1 {one:.2f} s, "
            f"{two / one:.2f} times as long",
            flush=True,
        )
        fast = build(name, bf16=True, channels_last=True)
        slow = build(name, bf16=False, channels_last=False)
        fast_seconds, slow_seconds = compare(
            make_step(fast, image, labels, (0.5, 1.0), bf16=True),
            make_step(slow, image, labels, (0.5, 1.0)),
            options.rounds,
        )
        print(
            f"{name} {batch} x {crop}: bf16 with channels last {fast_seconds:.2f} s against "
            f"float32 {slow_seconds:.2f} s, {slow_seconds / fast_seconds:.2f} times as fast",
            flush=True,
        )


if __name__ == "__main__":
    main()
