"""The engine that finds out which engine is the fastest."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from hierseg.engines.cache import EngineCache, make_key, read_machine, read_versions
from hierseg.engines.candidates import Candidate, find_candidate, list_candidates
from hierseg.engines.protocol import ScaleRunner
from hierseg.engines.torch_engine import TorchEngine
from hierseg.engines.trial import Trial, cut_part, hold_trial
from hierseg.errors import MALFORMED
from hierseg.models import SegmentationNetwork, SegmentationOutput
from hierseg.options import RunOptions, show_scales

STEP = 256
"""Sides of images are rounded up to its multiples: of a class of sizes one trial is held."""
SMALL = 256
"""Side of the part of an image by which it is estimated what an image takes."""
START_SECONDS = 12.0
"""What a trial takes beside running: another process, libraries."""
GRAPH_SECONDS = 30.0
"""What making a graph takes."""
RUNS = 4
"""How often a part of an image is run by each engine of a trial, at most."""
GAIN = 0.5
"""Share of the time that a trial is expected to win."""

_log = logging.getLogger("hierseg.engines")


class Pick(NamedTuple):
    """What runs a class of sizes, and why."""

    runner: ScaleRunner | None
    reason: str


class AutoEngine(TorchEngine):
    """Runs a network by the fastest engine that agrees with float32 torch.

    For each class of sizes one trial is held, where it is likely to take less time than it wins,
    and remembered on disk. Until then, and where nothing agrees, float32 torch runs.

    Args:
        network: As of ``TorchEngine``.
        device: As of ``TorchEngine``.
        engine: Of this engine alone, in the precision that is the fastest; ``auto`` for any.
        precision: In this precision alone; ``auto`` for any.

    Raises:
        UserError: An engine in particular that is not installed or does not run on the device.
    """

    def __init__(
        self,
        network: SegmentationNetwork,
        device: str | torch.device | None = None,
        engine: str = "auto",
        precision: str = "auto",
    ) -> None:
        super().__init__(network, device)
        self.engine, self.precision = engine, precision
        self.candidates = list_candidates(self.device, engine, precision)
        exact = "float32" if precision == "auto" else precision
        self._fallback: Candidate | None = None
        if engine != "auto" or exact != "float32":
            name = "torch" if engine == "auto" else engine
            self._fallback = find_candidate(name, exact, self.device)
        self.say: Callable[[str], None] = _log.info
        self.expected: int | None = None
        self._picks: dict[str, Pick] = {}
        self._costs: dict[str, tuple[float, float]] = {}
        self._done: dict[str, int] = {}
        self._told: set[str] = set()

    def fingerprint(self) -> str:
        """See ``Engine``."""
        asked = [one for one in (self.engine, self.precision) if one != "auto"]
        return " ".join([self.weights, "auto", *asked])

    def expect(self, images: int | None, say: Callable[[str], None] | None = None) -> None:
        """Be told how many images are to come, and where to say what is chosen."""
        self.expected = images
        if say is not None:
            self.say = say

    def describe(self) -> str:
        """What ran, and why."""
        return "; ".join(f"{key}: {pick.reason}" for key, pick in self._picks.items())

    def run(
        self, images: Tensor, options: RunOptions, keep_scales: bool = False
    ) -> SegmentationOutput:
        """See ``Engine``."""
        self.prepare(images, options)
        return super().run(images, options, keep_scales)

    def prepare(self, images: Tensor, options: RunOptions) -> None:
        """Choose what runs these images; a trial is held here."""
        scales = self.scales if options.scales is None else options.scales
        size = _round_up(images.shape[-2]), _round_up(images.shape[-1])
        name = f"up to {size[0]}x{size[1]} at {show_scales(scales)}"
        count = len(images)
        if name not in self._picks:
            self.runner = None
            self._picks |= self._pick(name, size, images, scales)
        self._done[name] = self._done.get(name, 0) + count
        if self.expected is not None:
            self.expected = max(0, self.expected - count)
        pick = self._picks.get(name)
        self.runner = self._run_fallback() if pick is None else pick.runner

    def _pick(
        self, name: str, size: tuple[int, int], images: Tensor, scales: tuple[float, ...]
    ) -> dict[str, Pick]:
        """What runs a class of sizes; nothing yet where that is still open."""
        about = self._describe_trial(size, scales)
        cache, key = EngineCache(), make_key(about)
        trial = _recall(cache, key)
        known = "" if trial is None else " (as found by an earlier trial)"
        if trial is None:
            if not self._pays(name, images, scales):
                return {}
            self.say(f"trying engines for images {name}; this is remembered")
            try:
                trial = hold_trial(self.network, images, scales, self.candidates, about)
            except Exception as error:  # what cannot be tried is run as it is
                said = f"no engine could be tried ({error!s:.150})"
                return {
                    name: self._settle(name, Pick(self._run_fallback(), f"torch float32: {said}"))
                }
            cache.write_trial(key, trial.to_dict())
        return {name: self._settle(name, self._take(trial, known))}

    def _settle(self, name: str, pick: Pick) -> Pick:
        self.say(f"engine for images {name}: {pick.reason}")
        return pick

    def _take(self, trial: Trial, known: str) -> Pick:
        attempt = trial.pick
        if attempt is None:
            return Pick(self._run_fallback(), trial.describe() + known)
        try:
            found = find_candidate(attempt.engine, attempt.precision, self.device)
            return Pick(found.make(self.network), trial.describe() + known)
        except Exception as error:  # libraries have their own
            said = f"torch float32, as {attempt.describe()} failed: {error!s:.150}"
            return Pick(self._run_fallback(), said)

    def _run_fallback(self) -> ScaleRunner | None:
        if self._fallback is not None and self._fallback_runner is None:
            self._fallback_runner = self._fallback.make(self.network)
        return self._fallback_runner

    _fallback_runner: ScaleRunner | None = None

    def _describe_trial(
        self, size: tuple[int, int], scales: tuple[float, ...]
    ) -> dict[str, object]:
        return {
            "weights": self.weights,
            "size": list(size),
            "scales": [float(scale) for scale in scales],
            "device": _describe_device(self.device),
            "candidates": [f"{one.describe()} {one.maker}" for one in self.candidates],
            "machine": read_machine(),
            "versions": read_versions(),
        }

    def _pays(self, name: str, images: Tensor, scales: tuple[float, ...]) -> bool:
        """Whether a trial is likely to take less time than it wins."""
        if not any(one.find_missing() is None for one in self.candidates):
            return False
        if name not in self._costs:
            self._costs[name] = self._estimate(images, scales)
        cost, image = self._costs[name]
        # Where nobody knows what is to come, it is taken to be as much as there was.
        left = self._done.get(name, 0) if self.expected is None else self.expected
        if left * image * GAIN > cost:
            return True
        if self.expected is not None and name not in self._told:
            self._told.add(name)
            self.say(
                f"engine for images {name}: torch float32; with about {left * image:.0f} s of work "
                f"a trial of engines, {cost:.0f} s, would not pay"
            )
        return False

    def _estimate(self, images: Tensor, scales: tuple[float, ...]) -> tuple[float, float]:
        """Seconds of a trial, and of an image by float32 torch."""
        small = images[:1, :, :SMALL, :SMALL]
        options, times = RunOptions(scales=scales), []
        for _ in range(2):
            start = time.perf_counter()
            super().run(small, options)
            times.append(time.perf_counter() - start)
        rate = min(times) / math.prod(small.shape[-2:])
        part = rate * math.prod(cut_part(images).shape[-2:])
        graphs = any("onnx" in one.modules for one in self.candidates)
        engines = 1 + len(self.candidates) / 2  # most are faster
        cost = START_SECONDS + GRAPH_SECONDS * graphs + min(RUNS * part, 2 * part + 8) * engines
        return cost, rate * math.prod(images.shape[-2:])


def _recall(cache: EngineCache, key: str) -> Trial | None:
    content = cache.read_trial(key)
    if content is None:
        return None
    try:
        return Trial.from_dict(content)
    except MALFORMED:
        return None


def _round_up(side: int) -> int:
    return math.ceil(side / STEP) * STEP


def _describe_device(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
