"""What will run images, and how long it is likely to take, before any has been run."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import torch

from hierseg.engines.auto_engine import SMALL, AutoEngine
from hierseg.engines.exported_engine import ExportedEngine
from hierseg.engines.protocol import Engine
from hierseg.engines.torch_engine import TorchEngine, describe
from hierseg.options import RunOptions
from hierseg.size import Size


class Foreseen(NamedTuple):
    """What will run images of a size.

    Attributes:
        engine: Engine and precision: ``openvino bf16``.
        rate: Seconds for each pixel of an image, all scales together; None where only running it
            would say.
    """

    engine: str
    rate: float | None


def foresee(engine: Engine, size: Size, scales: tuple[float, ...]) -> Foreseen:
    """What will run images of a size, by what earlier runs on this machine have found, else by
    running a small part twice where that needs no other preparation.

    Args:
        engine: Stays as it is.
        size: That images are run at.
        scales: Those that are run.
    """
    if isinstance(engine, AutoEngine):
        known = engine.recall(size, scales)
        if known is not None:
            return Foreseen(*known)
        plain = TorchEngine(engine.network)
        return Foreseen("the fastest engine that agrees with torch", measure_rate(plain, scales))
    if isinstance(engine, ExportedEngine):
        return Foreseen(f"{engine.name} {engine.precision}", None)
    if not isinstance(engine, TorchEngine):
        return Foreseen(type(engine).__name__, None)
    runner = engine.runner
    if runner is not None and runner.name != "torch":  # it may make a graph for each size
        return Foreseen(describe(runner), None)
    name = "torch float32" if runner is None else describe(runner)
    return Foreseen(name, measure_rate(engine, scales))


def measure_rate(engine: TorchEngine, scales: tuple[float, ...]) -> float | None:
    """Seconds a pixel, by a small image without content; None where it fails, as the images will
    say why.
    """
    times = []
    image = torch.zeros(1, 3, SMALL, SMALL, dtype=torch.uint8, device=engine.device)
    try:
        for _ in range(2):
            start = time.perf_counter()
            engine.run(image, RunOptions(scales=scales)).logits.sum().item()  # waits for a GPU
            times.append(time.perf_counter() - start)
    except Exception:  # what is only told is no reason to end
        return None
    return min(times) / math.prod(image.shape[-2:])
