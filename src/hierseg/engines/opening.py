"""Opens the engine that runs a network as its options ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from hierseg.engines.auto_engine import AutoEngine
from hierseg.engines.cache import EngineCache
from hierseg.engines.candidates import find_candidate
from hierseg.engines.exported_engine import ExportedEngine
from hierseg.engines.protocol import Engine, ScaleRunner
from hierseg.engines.torch_engine import TorchEngine, as_engine, describe
from hierseg.engines.trial import Trial
from hierseg.errors import MALFORMED, UsageError, UserError, lacks_memory
from hierseg.models import SegmentationNetwork
from hierseg.options import WHOLE, RunOptions


def open_engine(
    network: SegmentationNetwork | Engine,
    options: RunOptions = WHOLE,
    device: str | torch.device | None = None,
) -> Engine:
    """The engine that options ask for.

    Args:
        network: A network, or an engine, which is returned as it is.
        options: Options, of which engine and precision count. Without either, the network's modules
            are run as they are, in float32.
        device: The device to run on; None leaves the network where it is.

    Raises:
        UserError: The engine is not installed, or does not run on the device.
        UsageError: There is no such engine in that precision, or ``network`` is an engine already.
    """
    plain = as_engine(network, device)
    options = options.resolve()
    if isinstance(plain, ExportedEngine):
        plain.check(options)
        return plain
    name, precision = options.engine, options.precision
    if name is None and precision is None:
        return plain
    if plain is network or not isinstance(plain, TorchEngine):
        raise UsageError("an engine is given already; leave --engine and --precision out.")
    name = name or "torch"
    if precision is None:
        precision = "auto" if name == "auto" else "float32"
    if precision == "int8":  # refused before anything is tried
        find_candidate(name, precision, plain.device)
    if "auto" in (name, precision):
        return AutoEngine(plain.network, None, name, precision)
    return TorchEngine(plain.network, None, make_runner(plain.network, name, precision))


def make_runner(network: SegmentationNetwork, engine: str, precision: str) -> ScaleRunner:
    """An engine's runner, which runs a network at one scale.

    Args:
        network: The network, in evaluation mode and on its device.
        engine: torch, compile, onnxruntime or openvino.
        precision: float32, bf16 or fp16.

    Raises:
        UserError: The engine is not installed, or cannot run this network on its device.
        UsageError: There is no such engine in that precision.
    """
    candidate = find_candidate(engine, precision, TorchEngine(network).device)
    try:
        return candidate.make(network)
    except (MemoryError, UserError):
        raise
    except Exception as error:  # whatever a library raises
        if lacks_memory(error):
            raise
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(
            f"--engine {engine} cannot run this network in {precision} ({said:.200}); give "
            "--engine torch."
        ) from error


def plain_engine(engine: Engine) -> Engine:
    """An engine for the same weights by float32 torch; an engine without a network is returned."""
    return TorchEngine(engine.network) if isinstance(engine, TorchEngine) else engine


def expect_images(
    engine: Engine, images: int | None, say: Callable[[str], object] | None = None
) -> None:
    """Tell an engine how many images are to come (None: unknown), and where to report its choice.
    Only ``AutoEngine`` uses it.
    """
    given: Any = engine
    if isinstance(given, AutoEngine):
        given.expect(images, say)


def expect_more(engine: Engine, runs: int) -> None:
    """Tell an engine that so many more runs are to come, for windows and mirrored images."""
    given: Any = engine
    if isinstance(given, AutoEngine) and given.expected is not None:
        given.expected += runs


def describe_engine(engine: Engine) -> str:
    """The engine in words, and why it was chosen; empty for float32 torch and unknown engines."""
    if isinstance(engine, AutoEngine):
        return engine.describe()
    if isinstance(engine, ExportedEngine):
        return f"{engine.name} {engine.precision}, an exported graph"
    runner = getattr(engine, "runner", None)
    return "" if runner is None else describe(runner)


def list_trials() -> list[Trial]:
    """All stored trials of engines, the latest last."""
    found = []
    for content in EngineCache().list_trials():
        try:
            found.append(Trial.from_dict(content))
        except MALFORMED:
            continue
    return found


def clear_trials() -> int:
    """Remove all trials and the graphs made for them; returns how many trials there were."""
    return EngineCache().forget()
