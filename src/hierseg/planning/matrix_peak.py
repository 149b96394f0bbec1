"""The speed of a machine's matrix products, with which a network's speed is compared."""

from __future__ import annotations

import time

import torch

TYPES = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
SMALLEST, LARGEST = 256, 8192
LONG_ENOUGH = 0.05
"""Seconds of one product, from which on a larger one tells no more."""
ROUNDS = 4


def measure_matrix_peak(precision: str, device: torch.device | str = "cpu") -> float | None:
    """Operations a second of the fastest of a few products of square matrices; a multiplication and
    its addition are two. None if torch has no product of this precision here.

    Args:
        precision: float32 (on a GPU with or without TF32, as torch is set), bf16, fp16 or int8.
        device: The device.
    """
    best, side = 0.0, SMALLEST
    while side <= LARGEST:
        seconds = _time_product(side, precision, torch.device(device))
        if seconds is None:
            return None
        best = max(best, 2 * side**3 / seconds)
        if seconds > LONG_ENOUGH:
            break
        side *= 2
    return best


def _time_product(side: int, precision: str, device: torch.device) -> float | None:
    """Seconds of the fastest of several products."""
    found = []
    try:
        first, second = (_draw(side, precision, device) for _ in range(2))
        for _ in range(ROUNDS):
            _wait(device)
            start = time.perf_counter()
            if precision == "int8":
                torch._int_mm(first, second)
            else:
                first @ second
            _wait(device)
            found.append(time.perf_counter() - start)
    except (RuntimeError, NotImplementedError):
        return None
    return min(found[1:])


def _draw(side: int, precision: str, device: torch.device) -> torch.Tensor:
    if precision == "int8":
        return torch.randint(-8, 8, (side, side), dtype=torch.int8, device=device)
    return torch.randn(side, side, device=device).to(TYPES[precision])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
