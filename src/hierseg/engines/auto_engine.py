"""The engine that tries the others and takes the fastest."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

import torch
from torch import Tensor

from hierseg.engines.cache import EngineCache, make_key, read_machine, read_versions
from hierseg.engines.candidates import Candidate, find_candidate, list_candidates
from hierseg.engines.memory import read_room
from hierseg.engines.protocol import ScaleRunner
from hierseg.engines.torch_engine import TorchEngine
from hierseg.engines.trial import HEIGHT, LEAST_GAIN, WIDTH, Trial, cut_part, hold_trial
from hierseg.errors import MALFORMED
from hierseg.models import SegmentationNetwork, SegmentationOutput
from hierseg.options import RunOptions, show_scales

STEP = 256
"""Sides of images are rounded up to multiples of this; each rounded size has one trial."""
LARGE = 4 * 512 * 1024
"""Pixels of an image so large that a trial is decided on without running it first."""
SMALL = 256
"""Side of the part of an image that is timed to estimate the whole."""
START_SECONDS = 12.0
"""Seconds that a trial takes beside running: starting a process, loading libraries."""
GRAPH_SECONDS = 30.0
"""Seconds to export a graph."""
RUNS = 4
"""Most runs of the part by each engine of a trial."""
SHARE = 0.8
"""Of the free memory that an engine may take; the rest is for maps of the image, and outputs."""
_log = logging.getLogger("hierseg.engines")


class AutoEngine(TorchEngine):
    """Runs a network by the fastest engine that agrees with float32 torch.

    Each class of image sizes has one trial, and all that are larger than the part that is tried
    share theirs. It is held when it is likely to save more time than it takes, and remembered on
    disk. Until then, and if no engine agrees, float32 torch runs.

    Args:
        network: As in ``TorchEngine``.
        device: As in ``TorchEngine``.
        engine: Try only this engine, in any precision; ``auto`` for all.
        precision: Try only this precision; ``auto`` for all.

    Raises:
        UserError: The named engine is not installed or does not run on the device.
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
        # Only torch's modules can pass features from scale to scale.
        passes = engine == "auto" and network.fusion.passes
        self.candidates = [] if passes else list_candidates(self.device, engine, precision)
        exact = "float32" if precision == "auto" else precision
        self._fallback: Candidate | None = None
        if engine != "auto" or exact != "float32":
            name = "torch" if engine == "auto" else engine
            self._fallback = find_candidate(name, exact, self.device)
        self.say: Callable[[str], object] = _log.info
        self.expected: int | None = None
        self._fallback_runner: ScaleRunner | None = None
        self._exact = f"{'torch' if engine == 'auto' else engine} {exact}"
        self._picks: dict[str, ScaleRunner | None] = {}
        self._reasons: dict[str, str] = {}
        self._rates: dict[str, float] = {}  # seconds a pixel, before there is a pick
        self._done: dict[str, int] = {}

    def fingerprint(self) -> str:
        """See ``Engine``."""
        asked = [one for one in (self.engine, self.precision) if one != "auto"]
        return " ".join([self.weights, "auto", *asked])

    def expect(self, images: int | None, say: Callable[[str], object] | None = None) -> None:
        """Note how many images are to come (None: unknown), and where to report the choice."""
        self.expected = images
        if say is not None:
            self.say = say

    def describe(self) -> str:
        """Which engine ran, and why."""
        return "; ".join(f"{name}: {reason}" for name, reason in self._reasons.items())

    def run(
        self, images: Tensor, options: RunOptions, keep_scales: bool = False
    ) -> SegmentationOutput:
        """See ``Engine``."""
        self.prepare(images, options)
        return super().run(images, options, keep_scales)

    def prepare(self, images: Tensor, options: RunOptions) -> None:
        """Set ``runner`` for these images; hold a trial first if it pays."""
        scales = self.scales if options.scales is None else options.scales
        size = _round_up(images.shape[-2]), _round_up(images.shape[-1])
        name = f"up to {size[0]}x{size[1]} at {show_scales(scales)}"
        if name not in self._picks:
            self.runner = None
            self._picks |= self._pick(name, size, images, options)
        self.runner = self._picks[name] if name in self._picks else self._run_fallback()
        self._done[name] = self._done.get(name, 0) + len(images)
        if self.expected is not None:
            self.expected = max(0, self.expected - len(images))

    def recall(self, size: tuple[int, int], scales: tuple[float, ...]) -> tuple[str, float] | None:
        """What an earlier trial has picked for images of a size, and its seconds a pixel; None
        where none was held.
        """
        rounded = _round_up(size[0]), _round_up(size[1])
        trial = _recall(EngineCache(), make_key(self._describe_trial(rounded, scales)))
        if trial is None:
            return None
        pick, pixels = trial.pick, math.prod(trial.size)
        if pick is None or pick.seconds is None:
            return "torch float32", trial.seconds / pixels
        return f"{pick.engine} {pick.precision}", pick.seconds / pixels

    def _pick(
        self, name: str, size: tuple[int, int], images: Tensor, options: RunOptions
    ) -> dict[str, ScaleRunner | None]:
        """The runner of a class of sizes (None for torch's modules); empty while undecided."""
        scales = self.scales if options.scales is None else options.scales
        gain = LEAST_GAIN if self.engine == "auto" else 0
        about = self._describe_trial(size, scales)
        cache, key = EngineCache(), make_key(about)
        trial, known = _recall(cache, key), ", as an earlier trial has found"
        if trial is None:
            known = ""
            if not self._pays(name, images, scales):
                return {}
            self.say(f"trying engines for images {name}; the result is remembered")
            try:
                trial = hold_trial(
                    self.network,
                    images,
                    scales,
                    self.candidates,
                    about,
                    gain=gain,
                )
            except Exception as error:  # without a trial torch runs
                self._settle(name, f"{self._exact}, as no engine can be tried: {error!s:.150}")
                return {name: self._run_fallback()}
            cache.write_trial(key, trial.to_dict())
        most = None if options.memory is None else float(options.memory)
        room = SHARE * read_room(self.device, most)
        fitting = trial.fitting(len(images) * math.prod(size), room, gain)
        return {name: self._take(name, fitting, known)}

    def _take(self, name: str, trial: Trial, known: str) -> ScaleRunner | None:
        """The runner that a trial picked."""
        attempt = trial.pick
        if attempt is not None:
            try:
                found = find_candidate(attempt.engine, attempt.precision, self.device)
                runner = found.make(self.network)
            except Exception as error:  # whatever a library raises
                said = f"as {attempt.engine} {attempt.precision} fails: {error!s:.150}"
                self._settle(name, f"torch float32, {said}")
                return None
            self._settle(name, trial.describe() + known)
            return runner
        self._settle(name, trial.describe() + known)
        return None  # no other engine is known to agree

    def _settle(self, name: str, reason: str) -> None:
        if self._reasons.get(name) != reason:
            self._reasons[name] = reason
            self.say(f"engine for images {name}: {reason}")

    def _run_fallback(self) -> ScaleRunner | None:
        if self._fallback is not None and self._fallback_runner is None:
            self._fallback_runner = self._fallback.make(self.network)
        return self._fallback_runner

    def _describe_trial(
        self, size: tuple[int, int], scales: tuple[float, ...]
    ) -> dict[str, object]:
        return {
            "weights": self.weights,
            "size": list(_clip(size)),
            "scales": [float(scale) for scale in scales],
            "measured": ["seconds", "labels", "confidence", "memory"],
            "device": _describe_device(self.device),
            "candidates": [f"{one.describe()} {one.maker}" for one in self.candidates],
            "machine": read_machine(),
            "versions": read_versions(),
        }

    def _pays(self, name: str, images: Tensor, scales: tuple[float, ...]) -> bool:
        """Whether a trial is likely to save more time than it takes."""
        pixels = math.prod(images.shape[-2:])
        if not any(one.find_missing() is None for one in self.candidates):
            self._settle(name, f"{self._exact}, as no other engine is installed")
            return False
        # One small image does not pay, whatever it takes.
        if name not in self._rates and (pixels > LARGE or self._done.get(name, 0)):
            self._rates[name] = self._measure(images, scales)
        # If the number is unknown, as many are expected as there were so far.
        left = self._done.get(name, 0) if self.expected is None else self.expected
        rate = self._rates.get(name)
        if rate is None and left > 1:
            return False  # decided at the next image
        cost = self._estimate_cost(images, 0 if rate is None else rate)
        work = 0 if rate is None else left * pixels * rate
        if work > cost:  # a trial saves most of the work, and later runs need no trial
            return True
        if self.expected is not None:
            what = "one small image" if rate is None else f"about {work:.0f} s of work"
            self._settle(name, f"{self._exact}; for {what} a trial of engines would not pay")
        return False

    def _measure(self, images: Tensor, scales: tuple[float, ...]) -> float:
        """Seconds a pixel, timed on a small part of a large image."""
        small = images[:1, :, :SMALL, :SMALL]
        options, times = RunOptions(scales=scales), []
        for _ in range(2):
            start = time.perf_counter()
            super().run(small, options)
            times.append(time.perf_counter() - start)
        return min(times) / math.prod(small.shape[-2:])

    def _estimate_cost(self, images: Tensor, rate: float) -> float:
        """Seconds that a trial takes."""
        part = rate * math.prod(cut_part(images).shape[-2:])
        graphs = any("onnx" in one.modules for one in self.candidates)
        engines = 1 + len(self.candidates) / 2  # most are faster
        return START_SECONDS + GRAPH_SECONDS * graphs + min(RUNS * part, 2 * part + 8) * engines


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


def _clip(size: tuple[int, int]) -> tuple[int, int]:
    """The size, at most that of the part that is tried: larger images differ in nothing else."""
    height, width = size
    tall, wide = (WIDTH, HEIGHT) if height > width else (HEIGHT, WIDTH)
    return min(height, tall), min(width, wide)


def _describe_device(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
